import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "@eventlogger/process/main";
import { metricsFileOption, metricsText, writeMetricsFile } from "./metricsFile";

describe("the file of metrics for node_exporter", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "metrics-file-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const { check } = metricsFileOption.metricsFile;

  it("is replaced as a whole, readable for every user whatever the umask, and no other file stays", async () => {
    const file = join(folder, "verify.prom");
    writeFileSync(file, "old\n", { mode: 0o600 });
    const umask = process.umask(0o077);
    try {
      await writeMetricsFile(file, "new\n");
    } finally {
      process.umask(umask);
    }
    assert.equal(readFileSync(file, "utf8"), "new\n");
    assert.equal(statSync(file).mode & 0o777, 0o644);
    assert.deepEqual(readdirSync(folder), ["verify.prom"]);
  });

  it("that cannot be written is named in the error, and nothing stays", async () => {
    const file = join(folder, "verify.prom");
    mkdirSync(join(file, "full"), { recursive: true });
    const isNamed = (error: unknown): boolean => error instanceof UserError && error.message.includes(file);
    await assert.rejects(writeMetricsFile(file, "new\n"), isNamed);
    assert.deepEqual(readdirSync(folder), ["verify.prom"]);
  });

  it("must end with .prom and be in a folder that exists", () => {
    assert.equal(check(join(folder, "verify.prom")), undefined);
    assert.match(check(join(folder, "verify.txt")) ?? "", /\.prom/);
    assert.match(check(join(folder, "missing", "verify.prom")) ?? "", /create .*missing first/);
  });

  it("has a HELP and a TYPE line for each metric, and the labels of the file on each sample", async () => {
    const text = await metricsText(
      [
        { name: "a_seconds", help: "A", samples: [{ labels: {}, value: 1.5 }] },
        { name: "b", help: "B", samples: [{ labels: { kind: 'quote " here' }, value: 2 }] },
      ],
      { dataset: "analytics" },
    );
    assert.deepEqual(text.split("\n").filter(Boolean), [
      "# HELP a_seconds A",
      "# TYPE a_seconds gauge",
      'a_seconds{dataset="analytics"} 1.5',
      "# HELP b B",
      "# TYPE b gauge",
      'b{dataset="analytics",kind="quote \\" here"} 2',
    ]);
  });
});
