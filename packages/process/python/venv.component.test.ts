import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureVenv, interpreterOf, type VenvOptions } from "./venv";

describe("ensureVenv", function () {
  this.timeout(120_000);
  let cacheDir: string;
  let options: VenvOptions & { installs: number };
  beforeEach(() => {
    cacheDir = mkdtempSync(join(tmpdir(), "venv-"));
    const requirements = join(cacheDir, "requirements.txt");
    writeFileSync(requirements, "# nothing\n");
    options = {
      name: "tool",
      cacheDir,
      requirements,
      finish: "import pathlib, sys; (pathlib.Path(sys.argv[1]) / 'finished').touch()",
      installs: 0,
      onInstall: () => options.installs++,
    };
  });
  afterEach(() => rmSync(cacheDir, { recursive: true }));
  const environments = (): string[] =>
    readdirSync(cacheDir).filter((f) => f.startsWith("tool-") && !f.endsWith(".log"));

  it("makes an environment once", async () => {
    const venv = await ensureVenv(options);
    assert.ok(existsSync(join(venv, "finished")));
    assert.equal(await ensureVenv(options), venv);
    assert.equal(options.installs, 1);
  });

  it("lets two make it at the same time", async () => {
    const [a, b] = await Promise.all([ensureVenv(options), ensureVenv(options)]);
    assert.equal(a, b);
    assert.ok(existsSync(interpreterOf(a)));
    assert.equal(environments().length, 1);
  });

  it("takes no install that was cut off for a good one, and clears it away", async () => {
    const gone = 2 ** 22 + 1; // above the largest process id
    const left = join(cacheDir, `tool-abc.partial-${gone}-0`);
    mkdirSync(left);
    const venv = await ensureVenv(options);
    assert.ok(!existsSync(left));
    // As after an upgrade that took the interpreter away.
    rmSync(interpreterOf(venv));
    assert.equal(await ensureVenv(options), venv);
    assert.ok(existsSync(interpreterOf(venv)));
    assert.equal(options.installs, 2);
  });

  it("leaves nothing behind when it fails, and shows why", async () => {
    await assert.rejects(
      ensureVenv({ ...options, finish: "import sys; sys.exit('no such extension')" }),
      /Cannot install tool: .*python -c .*failed \(exit code 1\)[^]*no such extension/,
    );
    assert.deepEqual(environments(), []);
  });
});
