import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { MiniRunner } from "@eventlogger/beam/testing/miniRunner";
import { withTimeout } from "@eventlogger/process/wait";
import { readSources } from "./sources";

/** Sources that register modules in another way. */
const OTHERS = [
  "packages/beam/registerModule.ts",
  // Classes that replace those of a module of the SDK.
  "packages/beam/patches/windows.ts",
  // Classes that the test compiles.
  "packages/beam/dofn/checkSerializable.test.ts",
];

/** `registerModule(module)` as a statement of its own, as the last line of a module has it. */
const REGISTERS = /^registerModule\(module\);$/m;

describe("Modules that workers load by name", () => {
  const sources = readSources();
  const registering = sources.filter(({ text }) => REGISTERS.test(text));
  const names = registering.map(({ module }) => module);

  it("every module that registers itself does so once, in its last line", () => {
    assert.ok(names.length >= 10, `only ${names.length} modules were found`);
    for (const { file, text } of registering) {
      assert.match(text, /\nregisterModule\(module\);\n$/, `${file} calls registerModule before its end`);
      assert.equal(text.match(/\bregisterModule\(module\)/g)?.length, 1, `${file} calls registerModule twice`);
    }
  });

  it("no other source of the repository registers a module, or names one itself", () => {
    const others = sources.filter(({ file, text }) => {
      if (OTHERS.includes(file)) return false;
      const code = text.replace(/\/\*[^]*?\*\/|\/\/.*$|`[^`]*`|"[^"\n]*"/gm, "");
      return /\brequireForSerialization\(/.test(code) || (/\bregisterModule\(/.test(code) && !REGISTERS.test(code));
    });
    assert.deepEqual(
      others.map(({ file }) => file),
      [],
    );
  });

  it("every registered module has the name that follows from the path of its source", () => {
    // One process loads them one by one, by name, and reports what each has registered.
    const script = `
      require("@eventlogger/beam/sdk");
      const { getRegisteredModules } = require("apache-beam/serialization");
      for (const name of ${JSON.stringify(names)}) require(name);
      const registered = getRegisteredModules().filter((name) => !/^apache-beam(\\/|$)/.test(name));
      process.stdout.write(JSON.stringify(registered), () => process.exit(0));`;
    const { stdout, stderr } = spawnSync(process.execPath, ["-e", script], { cwd: repositoryRoot, encoding: "utf8" });
    assert.notEqual(stdout, "", stderr);
    assert.deepEqual((JSON.parse(stdout) as string[]).sort(), [...names].sort());
  });

  it("a worker loads every registered module by its name", async () => {
    const runner = await MiniRunner.start({ ownWorker: false });
    const args = [
      require.resolve("@eventlogger/beam/worker/containerMain"),
      "--id=w1",
      `--control_endpoint=${runner.address}`,
      `--options=${JSON.stringify({ "beam:option:registered_node_modules:v1": ["apache-beam", ...names] })}`,
    ];
    const worker = spawn(process.execPath, args, { cwd: repositoryRoot, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [worker.stdout, worker.stderr]) {
      stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    }
    const exited = new Promise<string>((resolve) =>
      worker.once("close", (code) => resolve(`exited with code ${code}`)),
    );
    try {
      // A worker connects when it has loaded its modules.
      const connected = runner.connected.then(() => "connected");
      assert.equal(
        await withTimeout(Promise.race([connected, exited]), 30_000, "the start of a worker"),
        "connected",
        output,
      );
    } finally {
      worker.kill("SIGKILL");
      await exited;
      runner.close();
    }
  });
});
