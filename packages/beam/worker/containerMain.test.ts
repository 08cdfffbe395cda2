import "../sdk";
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { MiniRunner } from "../testing/miniRunner";
import { startLoggingService, type LoggingService } from "../testing/loggingService";
import * as fixtures from "../testing/fixtures";
import { bundleParDo, moduleName, pipe, splittableParDo, stringCoder } from "../index";
import { registeredModules } from "./containerMain";

const MAIN = require.resolve("./containerMain");
const PACKAGE_ROOT = packageRootOf(__filename);
const FIXTURES = moduleName(require.resolve("../testing/fixtures"));
const MISSING = moduleName(require.resolve("../testing/fixtures")).replace("fixtures", "missing");

describe("Worker in a container", () => {
  let runner: MiniRunner;
  let logging: LoggingService;
  let worker: ChildProcess | undefined;
  let printed: string;
  let exited: Promise<number | string | null>;

  beforeEach(async () => {
    runner = await MiniRunner.start({ ownWorker: false });
    logging = await startLoggingService();
  });
  afterEach(() => {
    worker?.kill("SIGKILL");
    logging.stop();
    runner.close();
  });

  /** Starts the worker as the boot program does. */
  function start(modules: readonly string[], env: Readonly<Record<string, string>> = {}): void {
    const args = [
      `--logging_endpoint=${logging.address}`,
      `--control_endpoint=${runner.address}`,
      "--semi_persist_dir=/tmp",
      `--options=${JSON.stringify({ "beam:option:registered_node_modules:v1": ["apache-beam", ...modules] })}`,
      "--status_endpoint=127.0.0.1:1",
      "--id=w1",
    ];
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: PACKAGE_ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    worker = child;
    printed = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (text: Buffer) => (printed += text.toString()));
    exited = new Promise((resolve) => child.once("close", (code, signal) => resolve(signal ?? code)));
  }

  const messages = (severity: string): string[] =>
    logging.lines.filter((line) => line.severity === severity).map((line) => line.message);

  it("the worker runs bundles, and sends its console output to the runner", async () => {
    start([FIXTURES]);
    await runner.connected;
    await runner.describe("same", (input) => pipe(input, bundleParDo("same", new fixtures.Identity(), stringCoder)));
    assert.deepEqual((await runner.run("same", [["a", "b"]])).output, ["a", "b"]);
    await runner.describe("throw", (input) =>
      pipe(input, bundleParDo("throw", new fixtures.ThrowAt("b"), stringCoder)),
    );
    const { response } = await runner.run("throw", [["a", "b"]]);
    assert.match(response.error, /cannot process b/);
    await runner.until(() => messages("ERROR").length > 0, "the error in the logs");
    assert.match(messages("ERROR")[0] ?? "", /Bundle \S+ of throw failed: Error: cannot process b/);
    assert.match(messages("INFO").join("\n"), /worker w1 \(process \d+\) serves/);
    assert(logging.lines.every((line) => line.worker === "w1"));
    assert.match(printed, /worker w1 .* serves/);
  });

  it("the worker stops gracefully at SIGTERM, and sends all of its output first", async () => {
    start([FIXTURES]);
    await runner.connected;
    worker?.kill("SIGTERM");
    assert.equal(await exited, 0);
    assert.match(messages("INFO").at(-1) ?? "", /worker w1 stops: SIGTERM/);
  });

  it("the worker exits at once at a second SIGTERM", async () => {
    start([FIXTURES]);
    await runner.connected;
    worker?.kill("SIGTERM");
    await runner.until(() => printed.includes("worker w1 stops: SIGTERM"), "the graceful stop");
    worker?.kill("SIGTERM");
    assert.equal(await exited, 143);
  });

  it("the worker stops gracefully when the runner closes the control stream", async () => {
    start([FIXTURES]);
    await runner.connected;
    runner.endControl();
    assert.equal(await exited, 0);
    assert.match(messages("INFO").at(-1) ?? "", /worker w1 stops: The control stream/);
  });

  it("the worker stops when its data stream breaks, so that its container is replaced", async () => {
    start([FIXTURES]);
    await runner.connected;
    await runner.describe("same", (input) => pipe(input, bundleParDo("same", new fixtures.Identity(), stringCoder)));
    assert.deepEqual((await runner.run("same", [["a"]])).output, ["a"]);
    runner.breakData();
    assert.equal(await exited, 0);
    assert.match(messages("INFO").at(-1) ?? "", /worker w1 stops: A data or state stream was lost: .*the data stream/);
  });

  it("the worker logs that a step hangs, and names it", async () => {
    start([FIXTURES], { BEAM_LULL_MS: "400" });
    await runner.connected;
    await runner.describe("read", (input) =>
      pipe(input as never, splittableParDo("hangs", new fixtures.OneElement(), stringCoder)),
    );
    const { id } = runner.startBundle("read");
    const restriction = { key: new Uint8Array(), value: Buffer.from(JSON.stringify("wait")) };
    await runner.send("read", id, [{ key: restriction, value: 1 }], true);
    const ongoing = new RegExp(
      `^Operation ongoing in bundle ${id} for at least \\d+ s in step hangs \\(finish_bundle\\)`,
    );
    await runner.until(() => messages("WARN").some((text) => ongoing.test(text)), "the warning");
  });

  it("the worker keeps running when the logging service is gone", async () => {
    start([FIXTURES]);
    await runner.connected;
    logging.stop();
    await runner.describe("same", (input) => pipe(input, bundleParDo("same", new fixtures.Identity(), stringCoder)));
    assert.deepEqual((await runner.run("same", [["a"]])).output, ["a"]);
    worker?.kill("SIGTERM");
    assert.equal(await exited, 0);
    assert.match(printed, /Cannot send logs to the runner any more/);
    assert.match(printed, /worker w1 stops/);
  });

  it("the worker names a module that it cannot load", async () => {
    start([MISSING]);
    assert.equal(await exited, 1);
    const text = new RegExp(`Cannot load the module ${MISSING}, which the pipeline uses`);
    assert.match(messages("CRITICAL").join(), text);
    assert.match(printed, text);
  });
});

describe("registeredModules", () => {
  it("registeredModules reads the pipeline options of portable runners and of Dataflow", () => {
    assert.deepEqual(registeredModules('{"beam:option:registered_node_modules:v1":["a","b"]}'), ["a", "b"]);
    assert.deepEqual(registeredModules('{"display_data":[],"options":{"registered_node_modules":["a"]}}'), ["a"]);
  });

  it("registeredModules rejects options that do not name modules", () => {
    for (const options of ["{}", '{"options":{}}', '{"registered_node_modules":"a"}']) {
      assert.throws(() => registeredModules(options), /do not name the modules of the pipeline/);
    }
  });
});
