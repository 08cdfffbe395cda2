import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Message, PubSub } from "@google-cloud/pubsub";
import { dayOf, dayToIso } from "@eventlogger/events/day";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { encodeMessage } from "@eventlogger/events/eventMessage";
import { decodeReplay } from "@eventlogger/events/replayMessage";
import { validateEvent } from "@eventlogger/events/validation";
import { createGeneration, readActiveGeneration } from "@eventlogger/gcp/bigquery/generations";
import { readDailyRollups } from "@eventlogger/gcp/bigquery/dailyRollups";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import type { DeadLetterRow } from "@eventlogger/gcp/bigquery/tables";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { startPubSubEmulator, type PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { replayNames } from "@eventlogger/gcp/pubsub/replayNames";
import { setUpReplay } from "@eventlogger/gcp/pubsub/setup/setUpReplay";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { waitUntil } from "@eventlogger/process/wait";
import { bruteForceStatistics, type StatisticsReport } from "@eventlogger/traffic/bruteForce";
import { generateTraffic } from "@eventlogger/traffic/generator/trafficGenerator";
import { statisticsReport } from "../testing/statisticsReport";
import { eventRow } from "../io/bigquery/eventRow";
import { skipAfterFailure } from "@eventlogger/process/testing/skipAfterFailure";
import { eventlogger, type CliRun } from "./testing/eventlogger";

const BIN = path.join(packageRootOf(__filename), "bin", "eventlogger.js");
const WAIT = { timeoutMs: 240_000, intervalMs: 250 };
const NAMES = { topic: "events", subscription: "events-pipeline" };
const TODAY = dayToIso(dayOf(Date.now()));
const ALL = ["--from", "2020-01-01"];

/** Events of any order and age, with duplicates. */
function traffic(seed: number, count: number): AnalyticsEvent[] {
  const now = Date.now();
  const options = {
    seed,
    now,
    days: 3,
    count,
    users: 150,
    duplicateShare: 0.1,
    lateShare: 0.1,
    lateBy: 100,
    oldShare: 0.1,
  };
  return [...generateTraffic(options)].map((input) => {
    const result = validateEvent(input, now);
    return result.ok ? result.event : assert.fail(JSON.stringify(result.errors));
  });
}

/** A pipeline on Flink whose tables have rows that it has never read, and whose numbers come from replays. */
describe("eventlogger replay", () => {
  skipAfterFailure(); // each test adds to the data of the one before
  const bigquery = useBigQueryEmulator();
  const stored = traffic(1, 3000);
  /** All events that must count. */
  const counted = [...stored];
  let directory: string;
  let pubsub: PubSubEmulator;
  let client: PubSub;
  let run: ChildProcess;
  let port: number;

  const env = (): Record<string, string> => ({
    PUBSUB_EMULATOR_HOST: pubsub.host,
    BIGQUERY_ENDPOINT: bigquery.emulator.url,
  });
  const replay = (...args: string[]): Promise<CliRun> => eventlogger(["replay", ...args], { env: env() });
  async function insert(table: string, rows: readonly object[]): Promise<void> {
    await bigquery.bigquery
      .dataset("analytics")
      .table(table)
      .insert([...rows]);
  }

  before(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "replay-"));
    pubsub = await startPubSubEmulator({ logFile: path.join(directory, "pubsub.log") });
    process.env["PUBSUB_EMULATOR_HOST"] = pubsub.host;
    client = pubSubClient({ project: bigquery.project });
    const setup = await eventlogger(["setup", "--schema", "none"], { env: env() });
    assert.equal(setup.code, 0, setup.stderr);
    await insert("events", stored.map(eventRow));
  });
  after(async () => {
    await run?.stop(15_000);
    delete process.env["PUBSUB_EMULATOR_HOST"];
    await client?.close();
    await pubsub?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  async function metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return Number(new RegExp(`^pipeline_${name} (.*)$`, "m").exec(text)?.[1]);
  }
  const untilMetric = (name: string, min: number): Promise<unknown> =>
    waitUntil(`pipeline_${name} to be at least ${min}`, async () => (await metric(name)) >= min, WAIT);

  async function rollups(): Promise<StatisticsReport> {
    return statisticsReport(await readDailyRollups(bigquery.bigquery, "analytics"));
  }
  async function untilExact(): Promise<void> {
    const expected = bruteForceStatistics(counted);
    let found: StatisticsReport | undefined;
    const isExact = async (): Promise<boolean> => isDeepStrictEqual((found = await rollups()), expected);
    const details = (): string => JSON.stringify({ found, expected }, null, 1).slice(0, 4000);
    await waitUntil("exact rollups", isExact, { ...WAIT, retryErrors: true, details });
  }
  async function numberOf(sql: string): Promise<number> {
    const [row] = await runQuery(bigquery.bigquery, sql);
    return row?.number("n") ?? NaN;
  }
  /** Number of events that are recorded as accepted. */
  const recorded = (): Promise<number> =>
    numberOf("SELECT COUNT(DISTINCT hash) AS n FROM analytics.accepted_ids, UNNEST(SPLIT(hashes, ',')) AS hash");
  const rowsOf = (table: string): Promise<number> => numberOf(`SELECT COUNT(*) AS n FROM analytics.${table}`);

  it("says what is missing before it publishes anything: a first day, a generation, a replay subscription", async () => {
    const withoutDay = await replay();
    assert.equal(withoutDay.code, 2);
    assert.match(withoutDay.stderr, /--from \(FROM\) is required/);
    const withoutGeneration = await replay(...ALL);
    assert.equal(withoutGeneration.code, 1);
    assert.match(withoutGeneration.stderr, /Dataset analytics has no generation yet.*eventlogger run/);
  });

  it("run refuses to start without its replay subscription, and names setup", async () => {
    const { subscription } = replayNames(NAMES, 1);
    await client.subscription(subscription).delete();
    const args = ["run", "--state-dir", path.join(directory, "none"), "--metrics-port", "0"];
    const { code, stderr } = await eventlogger(args, { env: env() });
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`Subscription ${subscription} does not exist.*eventlogger setup`));
    await setUpReplay(client, { ...NAMES, generation: 1 });
  });

  it("rows that the pipeline has never read are counted exactly while live events arrive, without further rows", async () => {
    port = await freePort();
    run = await startChildProcess({
      name: "eventlogger run",
      command: process.execPath,
      args: [
        ...[BIN, "run", "--state-dir", path.join(directory, "state"), "--metrics-port", String(port)],
        ...["--checkpoint-interval", "1s", "--ack-deadline", "10s", "--heap", "512m"],
      ],
      env: env(),
      logFile: path.join(directory, "run.log"),
    });
    const hasStarted = (): boolean => /^running /m.test(run.logTail(50));
    await waitUntil("the pipeline", hasStarted, { ...WAIT, details: () => run.logTail() });
    const live = traffic(2, 1000).map((one) => ({ ...one, event_id: `live ${one.event_id}` }));
    const topic = client.topic("events");
    const publishing = Promise.all(
      live.map((one) => {
        const { data, attributes } = encodeMessage(one);
        return topic.publishMessage({ data, attributes });
      }),
    );
    const { code, stdout, stderr } = await replay(...ALL, "--json");
    assert.equal(code, 0, stderr);
    const { generation, rows, partitions } = JSON.parse(stdout) as {
      generation: number;
      rows: number;
      partitions: { partition: string; rows: number }[];
    };
    assert.equal(generation, 1);
    assert(rows >= stored.length, "the rows of live events may be among them");
    assert.deepEqual(
      partitions.map(({ partition }) => partition),
      [TODAY],
    );
    await publishing;
    counted.push(...live);
    await untilExact();
    await untilMetric("replayed_events_total", rows);
    await waitUntil("the rows of live events", async () => (await rowsOf("events")) >= counted.length, WAIT);
    const ids = new Set(live.map(({ event_id }) => event_id)).size;
    assert.equal(
      await numberOf("SELECT COUNT(DISTINCT event_id) AS n FROM analytics.events_unique"),
      new Set(counted.map(({ event_id }) => event_id)).size,
    );
    await waitUntil("the record of live events", async () => (await recorded()) === ids, WAIT);
  });

  it("a replay that was killed and then repeated twice changes no number, and a broken line becomes a dead letter", async () => {
    const before = await rowsOf("events");
    const recordedBefore = await recorded();
    const replayed = await metric("replayed_events_total");
    const child = spawn(process.execPath, [BIN, "replay", ...ALL, "--rate", "2000"], {
      env: { ...process.env, ...env() },
      stdio: "ignore",
    });
    const exited = new Promise((resolve) => child.once("exit", resolve));
    await untilMetric("replayed_events_total", replayed + 100);
    child.kill("SIGKILL");
    await exited;
    const data = Buffer.from('{"event_id":"broken"}\nno JSON');
    await client.topic(replayNames(NAMES, 1).topic).publishMessage({ data, attributes: { replay: "1" } });
    for (let i = 0; i < 2; i++) {
      const { code, stderr } = await replay(...ALL);
      assert.equal(code, 0, stderr);
    }
    await untilMetric("replayed_events_total", replayed + 100 + 2 * before);
    // Everything that was read is in the numbers once a checkpoint has let it be acknowledged.
    const oldest = "oldest_unacknowledged_replay_message_age_seconds";
    await waitUntil("all messages to be acknowledged", async () => (await metric(oldest)) === 0, WAIT);
    await untilExact();
    assert.equal(await rowsOf("events"), before);
    assert.equal(await recorded(), recordedBefore, "only live events are recorded as accepted");
    const letters = "SELECT DISTINCT error_type, source, payload FROM analytics.dead_letters ORDER BY source";
    await waitUntil("the dead letters", async () => (await rowsOf("dead_letters")) >= 2, WAIT);
    const found = (await runQuery(bigquery.bigquery, letters)).map((row) => [
      row.text("error_type"),
      row.text("source").replace(/message \S+,/, "message ID,"),
      row.text("payload"),
    ]);
    assert.deepEqual(found, [
      ["invalid_replay", "replay message ID, line 1", '{"event_id":"broken"}'],
      ["invalid_replay", "replay message ID, line 2", "no JSON"],
    ]);
  });

  it("a replay into generation 2 does not reach the pipeline of generation 1", async () => {
    const { subscription: name, topic } = replayNames(NAMES, 2);
    const active = await readActiveGeneration(bigquery.bigquery, "analytics");
    assert(active);
    await createGeneration(bigquery.bigquery, "analytics", {
      settings: { ...active.settings, sessionGapMs: 60_000 },
      resources: () => ({ subscription: null, replayTopic: topic, replaySubscription: name }),
    });
    const missing = await replay(...ALL, "--generation", "2");
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, new RegExp(`Subscription ${name} does not exist[^]*eventlogger rebuild creates it`));
    await setUpReplay(client, { ...NAMES, generation: 2 });
    const replayed = await metric("replayed_events_total");
    const received = new Set<string>();
    const subscription = client.subscription(name);
    subscription.on("message", (message: Message) => {
      assert.equal(message.attributes["replay"], "2");
      for (const line of decodeReplay(message.data)) if (line.ok) received.add(line.event.event_id);
      message.ack();
    });
    try {
      const { code, stdout, stderr } = await replay(...ALL, "--generation", "2");
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^replayed [\d,]+ rows, received on 1 day, into generation 2 in /);
      assert.match(stderr, new RegExp(`warning no run computes generation 2 now.*${name}`));
      const ids = new Set(counted.map(({ event_id }) => event_id)).size;
      await waitUntil("the messages", () => received.size === ids, WAIT);
    } finally {
      await subscription.close();
    }
    assert.equal(await metric("replayed_events_total"), replayed);
    assert.match((await replay(...ALL, "--generation", "3")).stderr, /Dataset analytics has no generation 3$/m);
  });

  it("Ctrl-C stops a replay with exit code 130 and says how to continue, and --dry-run publishes nothing", async () => {
    const replayed = await metric("replayed_events_total");
    const rows = await rowsOf("events");
    const dry = await replay(...ALL, "--dry-run");
    assert.equal(dry.code, 0, dry.stderr);
    assert.match(
      dry.stdout,
      new RegExp(`^would replay ${rows.toLocaleString("en-US")} rows, received on 1 day, into generation 1$`, "m"),
    );
    assert.match(dry.stdout, /^Pub\/Sub would carry about [\d.,]+ MB twice, which costs about \$0\.00$/m);
    assert.equal(await metric("replayed_events_total"), replayed);
    const interrupted = await eventlogger(["replay", ...ALL, "--rate", "50"], {
      env: env(),
      interrupt: untilMetric("replayed_events_total", replayed + 1),
    });
    assert.equal(interrupted.code, 130, interrupted.stderr);
    assert.match(
      interrupted.stdout,
      /^interrupted after [\d,]+ rows? of [\d,]+ into generation 1\nstart again with the same command/m,
    );
  });

  it("--by event replays the rows of a day of events, and --from and --to those of the days of receipt", async () => {
    const of = async (...args: string[]): Promise<number> =>
      (JSON.parse((await replay(...args, "--dry-run", "--json")).stdout) as { rows: number }).rows;
    const old = await numberOf("SELECT COUNT(*) AS n FROM analytics.events WHERE event_date < DATE '2021-01-01'");
    assert(old > 0);
    assert.equal(await of("--from", "2020-01-01", "--to", "2020-12-31", "--by", "event"), old);
    assert.equal(await of("--from", "2020-01-01", "--to", "2020-12-31"), 0);
  });

  it("--dead-letters replays events that have a row now, sends those without one, and reports the others", async () => {
    const now = Date.now();
    const [withRow, without] = ["with a row", "without a row"].map((event_id) =>
      event({ event_id, session_id: event_id, user_id: event_id, event_time: now, received_at: now }),
    ) as [AnalyticsEvent, AnalyticsEvent];
    const letter = (payload: string, source = "table events"): DeadLetterRow => ({
      error_type: "row_refused: invalid",
      error_message: "refused",
      payload,
      payload_encoding: "utf8",
      source,
      failed_at: new Date(now).toISOString(),
    });
    const before = await rowsOf("events");
    await insert("events", [eventRow(withRow)]); // an operator has repaired it
    const letters = [withRow, without].map((one) => letter(JSON.stringify(eventRow(one))));
    await insert("dead_letters", letters);
    const { code, stdout } = await replay("--from", TODAY, "--dead-letters", "--json");
    assert.equal(code, 1);
    const { replayed, resent, notSent } = JSON.parse(stdout) as Record<string, number>;
    assert.deepEqual([replayed, resent, notSent], [1, 1, 2], "the broken lines of the test before are no events");
    counted.push(withRow, without);
    await untilExact();
    await waitUntil("the row of the event that had none", async () => (await rowsOf("events")) >= before + 2, WAIT);
  });
});
