import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureVenv, interpreterOf, type VenvOptions } from "./venv";

describe("ensureVenv", () => {
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

  it("ensureVenv creates an environment once", async () => {
    const venv = await ensureVenv(options);
    assert.ok(existsSync(join(venv, "finished")));
    assert.equal(await ensureVenv(options), venv);
    assert.equal(options.installs, 1);
  });

  it("ensureVenv creates one environment for two concurrent callers", async () => {
    const [a, b] = await Promise.all([ensureVenv(options), ensureVenv(options)]);
    assert.equal(a, b);
    assert.ok(existsSync(interpreterOf(a)));
    assert.equal(environments().length, 1);
  });

  it("ensureVenv removes an interrupted install, and replaces an environment without an interpreter", async () => {
    const exited = 2 ** 22 + 1; // above the largest process id
    const left = join(cacheDir, `tool-abc.partial-${exited}-0`);
    mkdirSync(left);
    const venv = await ensureVenv(options);
    assert.ok(!existsSync(left));
    // Like an upgrade that removed the interpreter.
    rmSync(interpreterOf(venv));
    assert.equal(await ensureVenv(options), venv);
    assert.ok(existsSync(interpreterOf(venv)));
    assert.equal(options.installs, 2);
  });

  it("ensureVenv leaves nothing behind when the install fails, and reports the reason", async () => {
    await assert.rejects(
      ensureVenv({ ...options, finish: "import sys; sys.exit('no such extension')" }),
      /Cannot install tool: .*python -c .*failed \(exit code 1\)[^]*no such extension/,
    );
    assert.deepEqual(environments(), []);
  });
});
