import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import type { PubSub } from "@google-cloud/pubsub";
import { ensureFlinkClasspath } from "@eventlogger/beam/flink/classpath";
import { encodeMessage } from "@eventlogger/events/eventMessage";
import { readDailyRollups } from "@eventlogger/gcp/bigquery/dailyRollups";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { usePubSubEmulator } from "@eventlogger/gcp/pubsub/testing/usePubSubEmulator";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { cacheDir } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { answers } from "@eventlogger/process/readiness";
import { waitUntil } from "@eventlogger/process/wait";
import { assembleImage } from "@eventlogger/tools/images/assemble";

const WAIT = { timeoutMs: 180_000, intervalMs: 200 };
const MAIN = "node_modules/@eventlogger/pipeline/dist/cli/main.js";

/** Runs the contents of the image eventlogger-pipeline as its Dockerfile and the Kubernetes objects do, without Docker. */
describe("Contents of the pipeline image", () => {
  const bigquery = useBigQueryEmulator();
  const pubsub = usePubSubEmulator();
  let directory: string;
  let app: string;
  const started: ChildProcess[] = [];

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "pipeline-image-"));
    app = join(directory, "app");
    assembleImage("pipeline", app);
    // The Dockerfile builds the Flink job server there, under the same name.
    const [jar = ""] = (await ensureFlinkClasspath({ cacheDir })).split(delimiter);
    mkdirSync(join(app, ".cache"));
    symlinkSync(dirname(jar), join(app, ".cache", basename(dirname(jar))));
  });
  after(async () => {
    await Promise.all(started.map((child) => child.stop(30_000)));
    rmSync(directory, { recursive: true, force: true });
  });

  const start = async (name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const child = await startChildProcess({
      name,
      command: process.execPath,
      args: [MAIN, ...args],
      cwd: app,
      env: {
        PROJECT: bigquery.project,
        PUBSUB_EMULATOR_HOST: process.env["PUBSUB_EMULATOR_HOST"] ?? "",
        BIGQUERY_ENDPOINT: bigquery.emulator.url,
        ...env,
      },
      logFile: join(directory, `${name}.log`),
    });
    started.push(child);
    return child;
  };
  const toEnd = async (name: string): Promise<void> => {
    const child = await start(name, [name]);
    assert.deepEqual(await child.exited, { code: 0, signal: null }, child.logTail());
  };

  async function publish(client: PubSub, ids: readonly string[]): Promise<void> {
    const topic = client.topic("events");
    await Promise.all(
      ids.map((id) =>
        topic.publishMessage(
          encodeMessage(event({ event_id: id, event_time: Date.now(), user_id: id, session_id: id })),
        ),
      ),
    );
  }

  it("the contents of the pipeline image are enough to create the resources, to count events, to verify them, and to stop", async () => {
    await toEnd("setup");
    const port = await freePort();
    const run = await start("run", ["run", "--state-dir", join(directory, "data", "state")], {
      METRICS_HOST: "0.0.0.0",
      METRICS_PORT: String(port),
      HEAP: "512m",
      CHECKPOINT_INTERVAL: "1s",
    });
    await publish(pubsub.pubsub, ["a", "b", "c"]);
    const counted = async (): Promise<boolean> => {
      assert.ok(run.running, run.logTail());
      const { days } = await readDailyRollups(bigquery.bigquery, "analytics");
      return days.some((day) => day.active_user_count === 3);
    };
    await waitUntil("three persons are counted", counted, WAIT);
    // What the probes of the pod ask.
    await waitUntil("the pod is ready", () => answers(`http://127.0.0.1:${port}/readyz`), WAIT);
    assert.ok(await answers(`http://127.0.0.1:${port}/healthz`));
    await toEnd("refresh");
    await toEnd("verify");
    process.kill(run.pid, "SIGTERM");
    assert.deepEqual(await run.exited, { code: 0, signal: null }, run.logTail());
    assert.ok(existsSync(join(directory, "data", "state")));
  });

  it("the pipeline image contains no emulators, no submitter, no compiler and no tests", () => {
    const paths = readdirSync(app, { recursive: true, encoding: "utf8" });
    const unwanted = /(^|\/)node_modules\/(typescript|mocha|eslint)$|\.test\.js$|\.ts$/;
    assert.deepEqual(
      paths.filter((path) => unwanted.test(path)),
      [],
    );
  });
});
