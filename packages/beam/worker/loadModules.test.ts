import "../sdk";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { promisify } from "node:util";
import { create } from "apache-beam";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { getRegisteredModules } from "apache-beam/serialization";
import { assertDeepEqual } from "apache-beam/testing/assert";
import { buildPipeline } from "../job";
import { ModuleNotLoadedError, loadModules } from "./serve";

const run = promisify(execFile);

/** Loads the given modules from an empty folder, and deserializes the DoFns, as a worker does. */
const WORKER = `
  const { loadModules } = require(${JSON.stringify(require.resolve("./serve"))});
  const { deserializeFn } = require("apache-beam/internal/serialize");
  const { modules, requireFrom, payloads } = JSON.parse(process.env.WORK);
  loadModules(modules, requireFrom);
  for (const payload of payloads) deserializeFn(Buffer.from(payload, "base64"));
  console.log("deserialized " + payloads.length);
`;

describe("Modules of a worker", () => {
  it("a worker loads the registered modules of the SDK, so that assertDeepEqual works on every runner", async () => {
    const pipeline = await buildPipeline((root) => {
      const numbers = root.apply(create([1, 2]));
      numbers.apply(assertDeepEqual([2, 1]));
      return numbers;
    });
    const payloads = Object.values((pipeline.components as runnerApi.Components).transforms)
      .filter(({ spec }) => spec?.urn === "beam:transform:pardo:v1")
      .map(({ spec }) => runnerApi.ParDoPayload.fromBinary(spec?.payload as Uint8Array).doFn)
      .filter((doFn) => doFn?.payload.length)
      .map((doFn) => Buffer.from(doFn?.payload as Uint8Array).toString("base64"));
    // Other tests of this process register modules that the folder does not have.
    const modules = getRegisteredModules().filter((name) => name.startsWith("apache-beam/"));
    assert(modules.includes("apache-beam/testing/assert"));
    const work = { modules, requireFrom: tmpdir(), payloads };
    const env = { ...process.env, WORK: JSON.stringify(work) };
    const { stdout } = await run(process.execPath, ["-e", WORKER], { env, cwd: __dirname });
    assert.equal(stdout, `deserialized ${payloads.length}\n`);
  });

  it("the error for a module that cannot be loaded names it and the folder", () => {
    for (const name of ["apache-beam/nothing", "@nobody/nothing"]) {
      assert.throws(
        () => loadModules([name], tmpdir()),
        (error: Error) =>
          error instanceof ModuleNotLoadedError && error.message.includes(`${name}, which the pipeline`),
      );
    }
  });
});
