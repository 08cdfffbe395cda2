import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { requestWorker } from "@eventlogger/beam/testing/requestWorker";
import { encodeStartParameters } from "@eventlogger/beam/worker/startParameters";
import { startChildProcess } from "@eventlogger/process/childProcess";
import { freePort } from "@eventlogger/process/ports";
import { awaitReady } from "@eventlogger/process/readiness";
import { STATE_DIRECTORY_VARIABLE } from "@eventlogger/pipeline/runners/flink/cluster";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { waitUntil } from "@eventlogger/process/wait";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { ensureSubmitter } from "@eventlogger/pipeline/runners/dataflow/submitter/environment";
import { assembleImage } from "@eventlogger/tools/images/assemble";
import { ensureBootProgram } from "@eventlogger/tools/images/bootProgram";
import { readOutcome } from "./testing/boundedPipeline";
import { startJobService, type JobService } from "./testing/jobService";
import { launchBounded } from "./testing/launchBounded";

const IMAGE = "eventlogger/worker:stand-in";
const run = promisify(execFile);

/** Runs the contents of the worker image by its entry point, without Docker. */
describe("Contents of the worker image, with a stand-in for docker", () => {
  const emulator = useBigQueryEmulator();
  let directory: string;
  let app: string;
  let jobService: JobService | undefined;

  const containers = (): string => join(directory, "containers");
  const texts = (ending: string): string[] =>
    readdirSync(containers())
      .filter((file) => file.endsWith(ending))
      .map((file) => readFileSync(join(containers(), file), "utf8"));

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "worker-image-"));
    app = join(directory, "app");
    assembleImage("worker", app);
    cpSync(await ensureBootProgram(), join(directory, "boot"));
    // PATH of the container: its npx, its Node and the commands of the base image.
    const bin = join(directory, "bin");
    mkdirSync(bin);
    cpSync(join(repositoryRoot, "packages", "beam", "worker", "npx"), join(bin, "npx"));
    symlinkSync(process.execPath, join(bin, "node"));
    mkdirSync(containers());
    chmodSync(directory, 0o755); // containers do not run as root
    jobService = await startJobService({
      python: await ensureSubmitter(),
      directory,
      env: {
        PATH: [join(repositoryRoot, "test", "images", "testing"), process.env["PATH"]].join(delimiter),
        STANDIN_IMAGE: IMAGE,
        STANDIN_APP: app,
        STANDIN_BOOT: join(directory, "boot"),
        STANDIN_PATH: [bin, "/usr/bin", "/bin"].join(delimiter),
        STANDIN_DIR: containers(),
      },
    });
  });
  after(async () => {
    await jobService?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it("the contents of the worker image run the whole pipeline, its numbers are exact, and workers log to the job", async () => {
    const dataset = await emulator.datasetWithGeneration();
    const target = { project: emulator.project, dataset, endpoint: emulator.emulator.url };
    let launched;
    try {
      launched = await launchBounded({ jobService: jobService as JobService, image: IMAGE, target, events: 2000 });
    } catch (error) {
      throw new Error(`${String(error)}\nContainers:\n${texts(".log").join("\n")}`, { cause: error });
    }
    assert.equal(launched.messages, 2002);
    assert.deepEqual(await readOutcome(emulator.bigquery, dataset), launched.expected);
    assert.match(jobService?.logTail(10_000) ?? "", /worker worker_\d+ \(process \d+\) serves localhost:\d+/);
    // The runner removes its containers.
    await waitUntil("the container to be removed", () => texts(".exit").length > 0);
  });

  it("the worker image loads every module that a launcher for Dataflow registers", async () => {
    const print = "console.log(JSON.stringify(require('apache-beam/serialization').getRegisteredModules()))";
    const launcher = `require('@eventlogger/pipeline/runners/dataflow/pipeline'); ${print}`;
    const { stdout } = await run(process.execPath, ["-e", launcher], { cwd: repositoryRoot });
    const modules = (JSON.parse(stdout) as string[]).filter((name) => name.startsWith("@eventlogger/"));
    assert(modules.includes("@eventlogger/pipeline/users/userLedger"), stdout);
    const load = `require('@eventlogger/beam/sdk'); ${JSON.stringify(modules)}.forEach(require)`;
    await run(process.execPath, ["-e", load.replaceAll("forEach(require)", "forEach((m) => require(m))")], {
      cwd: app,
    });
  });

  it("the worker image runs a worker pool for Flink, whose workers load every module of the pipeline on Flink", async () => {
    const print = "console.log(JSON.stringify(require('apache-beam/serialization').getRegisteredModules()))";
    const launcher = `require('@eventlogger/pipeline/runners/flink/io'); require('@eventlogger/pipeline/eventPipeline'); ${print}`;
    const { stdout } = await run(process.execPath, ["-e", launcher], { cwd: repositoryRoot });
    const modules = JSON.parse(stdout) as string[];
    assert(modules.includes("@eventlogger/pipeline/io/pubsub/source/readFromPubSub"), stdout);
    const [port, token, state] = [await freePort(), "0123456789abcdef", join(directory, "pool-state")];
    mkdirSync(state);
    const pool = await startChildProcess({
      name: "worker pool",
      command: join(app, "node_modules", ".bin", "eventlogger-worker-pool"),
      args: ["--port", String(port)],
      cwd: app,
      env: { BEAM_ACCESS_TOKEN: token },
      logFile: join(directory, "pool.log"),
    });
    try {
      await awaitReady(pool, () => pool.logTail().includes("worker pool of version"), 60_000);
      const env = { [STATE_DIRECTORY_VARIABLE]: state };
      const params = { access_token: token, ...encodeStartParameters({ job: "a", modules, env, heapMiB: 512 }) };
      // Nothing listens there: the worker loads its modules, and then tries to connect.
      const request = { workerId: "w1", controlUrl: "127.0.0.1:1", params };
      const error = await requestWorker(`127.0.0.1:${port}`, request);
      assert.equal(error, "", pool.logTail());
      assert.match(pool.logTail(), /worker w1 \(process \d+\) serves 127\.0\.0\.1:1/);
    } finally {
      await pool.stop();
    }
  });

  it("the worker image contains one apache-beam, no compiler and no tests", () => {
    const paths = readdirSync(app, { recursive: true, encoding: "utf8" });
    assert.deepEqual(
      paths.filter((path) => path.endsWith("node_modules/apache-beam")),
      ["node_modules/apache-beam"],
    );
    assert.deepEqual(
      paths.filter((path) => /(^|\/)node_modules\/(typescript|ttypescript|mocha|eslint)$|\.test\.js$|\.ts$/.test(path)),
      [],
    );
    assert(existsSync(join(app, "node_modules/@eventlogger/pipeline/dist/totals/dayTotals.js")));
  });

  it("npx of the worker image runs installed commands only, and never asks a registry", async () => {
    const npx = join(directory, "bin", "npx");
    await assert.rejects(run(npx, ["cowsay", "hello"], { cwd: app }), (error: { code?: number; stderr?: string }) => {
      assert.equal(error.code, 127);
      assert.match(error.stderr ?? "", /cowsay is not installed in /);
      return true;
    });
    await assert.rejects(run(npx, ["apache-beam-worker"], { cwd: app }), /--id and --control_endpoint are required/);
    const { stdout } = await run(npx, ["apache-beam-worker-node-options"], { cwd: app });
    assert.match(stdout, /^--max-old-space-size=\d+\n$/, "the limit of the heap of a worker");
  });
});
