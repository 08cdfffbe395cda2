import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { PubSub } from "@google-cloud/pubsub";
import { encodeMessage } from "@eventlogger/events/eventMessage";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { startPubSubEmulator, type PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { waitUntil } from "@eventlogger/process/wait";
import { eventlogger, type CliRun } from "../cli/testing/eventlogger";

const WAIT = { timeoutMs: 200_000, intervalMs: 200 };
const HOUR = 3_600_000;

describe("a run on a restored snapshot", function () {
  this.timeout(400_000);
  const bigquery = useBigQueryEmulator();
  let directory: string;
  let pubsub: PubSubEmulator;
  let client: PubSub;
  let run: ChildProcess | undefined;
  let port: number;

  before(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "restored-"));
    pubsub = await startPubSubEmulator({ logFile: path.join(directory, "pubsub.log") });
    process.env["PUBSUB_EMULATOR_HOST"] = pubsub.host;
    client = pubSubClient({ project: bigquery.project });
    port = await freePort();
  });
  after(async () => {
    await run?.stop(15_000);
    delete process.env["PUBSUB_EMULATOR_HOST"];
    await client?.close();
    await pubsub?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const env = (): Record<string, string> => ({
    PUBSUB_EMULATOR_HOST: pubsub.host,
    BIGQUERY_ENDPOINT: bigquery.emulator.url,
  });
  async function command(...args: string[]): Promise<CliRun> {
    const ended = await eventlogger(args, { env: env() });
    assert.equal(ended.code, 0, `${args.join(" ")}\n${ended.stdout}${ended.stderr}`);
    return ended;
  }
  const output = (): string => readFileSync(path.join(directory, "run.log"), "utf8");
  async function startRun(stateDir: string): Promise<void> {
    writeFileSync(path.join(directory, "run.log"), "");
    run = await startChildProcess({
      name: "eventlogger run",
      command: process.execPath,
      args: [
        ...[path.join(packageRootOf(__filename), "bin", "eventlogger.js"), "run", "--state-dir", stateDir],
        ...["--metrics-port", String(port), "--checkpoint-interval", "1s", "--heap", "512m"],
      ],
      env: env(),
      logFile: path.join(directory, "run.log"),
    });
  }
  /** Sessions of two events each, on three days; every tenth session has an earlier part in another range of numbers. */
  async function publish(from: number, to: number): Promise<void> {
    const topic = client.topic("events");
    const one = async (n: number): Promise<void> => {
      const session = n % 10 === 0 ? n % 200 : n;
      const start = Date.UTC(2026, 4, 1 + (session % 3)) + session * 60_000;
      for (const [i, time] of [start, start + 10_000 + n].entries()) {
        const ids = { event_id: `e-${n}-${i}`, session_id: `s-${session}`, user_id: `u-${n % 70}` };
        const { data, attributes } = encodeMessage(event({ ...ids, event_time: time, received_at: Date.now() }));
        await topic.publishMessage({ data, attributes });
      }
    };
    await Promise.all(Array.from({ length: to - from }, (_, i) => one(from + i)));
  }
  async function metric(name: string): Promise<number> {
    const text = await fetch(`http://127.0.0.1:${port}/metrics`).then(
      (response) => response.text(),
      () => "",
    );
    return Number(new RegExp(`^pipeline_${name}(?:\\{.*\\})? (\\S+)$`, "m").exec(text)?.[1] ?? NaN);
  }
  /** Waits until a run has read this many events, and acknowledged them. */
  const untilCounted = (events: number): Promise<unknown> =>
    waitUntil(
      `${events} events to be acknowledged`,
      async () =>
        (await metric("events_total")) + ((await metric("replayed_events_total")) || 0) >= events &&
        (await metric("oldest_unacknowledged_message_age_seconds")) === 0,
      { ...WAIT, details: output },
    );

  it("a snapshot of a running run, restored in another folder after the loss of the first one, and a replay give exact numbers", async () => {
    await command("setup", "--schema", "none");
    const lost = path.join(directory, "lost");
    await startRun(lost);
    await publish(0, 200);
    await untilCounted(400);
    const snapshot = path.join(directory, "snapshot.tar");
    await command("snapshot", "--state-dir", lost, "--to", snapshot);
    assert.deepEqual(
      readdirSync(lost).filter((name) => name.startsWith("snapshot")),
      [],
    );
    await publish(200, 400);
    await untilCounted(800);
    await run?.stop(30_000);
    rmSync(lost, { recursive: true });

    const restored = path.join(directory, "another folder", "restored");
    const { stdout } = await command("restore", "--from", snapshot, "--state-dir", restored);
    const [replay = "", from = ""] = /eventlogger replay --from (\d{4}-\d\d-\d\d)/.exec(stdout) ?? [];
    assert.notEqual(replay, "", stdout);
    // The rows were received today, or yesterday when the test runs at midnight.
    assert(Date.parse(from) <= Date.now() && Date.parse(from) > Date.now() - 40 * 24 * HOUR, from);
    await startRun(restored);
    await waitUntil("the warning", () => output().includes(replay), { ...WAIT, details: output });
    await waitUntil("the pipeline to read", () => output().includes("running"), { ...WAIT, details: output });
    assert.match(output(), /resuming from checkpoint \d+/);
    // Their days get numbers of the old state.
    await publish(400, 460);
    await untilCounted(120);
    assert.equal((await eventlogger(["verify"], { env: env() })).code, 1, "the state lacks no events");
    await command("replay", "--from", from);
    await waitUntil("exact numbers", async () => (await eventlogger(["verify"], { env: env() })).code === 0, {
      ...WAIT,
      intervalMs: 2000,
      details: output,
    });
    await command("restore", "--state-dir", restored, "--replayed");
    assert(!existsSync(path.join(restored, "restored.json")));
  });
});
