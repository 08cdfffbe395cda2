import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { PubSub } from "@google-cloud/pubsub";
import { createHash } from "node:crypto";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { encodeMessage } from "@eventlogger/events/eventMessage";
import { recordGeneration } from "@eventlogger/gcp/bigquery/generations";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { startPubSubEmulator, type PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { waitUntil } from "@eventlogger/process/wait";
import { eventRow } from "../io/bigquery/eventRow";
import type { Trace } from "../trace/trace";
import { eventlogger, startEventlogger, type CliRun, type RunningCommand } from "./testing/eventlogger";

describe("eventlogger trace and eventlogger tail", () => {
  const warehouse = useBigQueryEmulator();
  let directory: string;
  let emulator: PubSubEmulator;
  let pubsub: PubSub;
  before(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "trace-"));
    emulator = await startPubSubEmulator({ logFile: path.join(directory, "log") });
    const setup = await eventlogger(["setup"], { env: env() });
    assert.equal(setup.code, 0, setup.stderr);
    process.env["PUBSUB_EMULATOR_HOST"] = emulator.host;
    pubsub = pubSubClient({ project: warehouse.project });
  });
  after(async () => {
    delete process.env["PUBSUB_EMULATOR_HOST"];
    await pubsub?.close();
    await emulator?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const env = (): Record<string, string> => ({
    PUBSUB_EMULATOR_HOST: emulator.host,
    BIGQUERY_ENDPOINT: warehouse.emulator.url,
    // Set in every shell; not a filter.
    USER: "root",
  });
  const publish = (published: AnalyticsEvent, topic = "events"): Promise<string> =>
    pubsub.topic(topic).publishMessage(encodeMessage(published));
  const subscriptions = async (): Promise<string[]> =>
    (await pubsub.getSubscriptions())[0].map(({ name }) => name.split("/").pop() as string).sort();

  describe("trace", () => {
    const NOW = Date.now();
    const MINUTE = 60_000;
    const berlin = { sessionGapMs: 30 * MINUTE, timeZone: "Europe/Berlin", stateFormat: 2 };
    let dataset: string;
    beforeEach(async () => {
      dataset = await warehouse.freshDataset();
    });
    const trace = (id: string, ...args: string[]): Promise<CliRun> =>
      eventlogger(["trace", id, "--dataset", dataset, ...args], { env: env() });
    async function traced(id: string, ...args: string[]): Promise<Trace> {
      return JSON.parse((await trace(id, "--json", ...args)).stdout) as Trace;
    }
    const insert = (table: string, rows: object[]): Promise<unknown> =>
      warehouse.bigquery.dataset(dataset).table(table).insert(rows);
    const insertEvents = (events: readonly AnalyticsEvent[]): Promise<unknown> =>
      insert("events", events.map((each) => eventRow(each))); // prettier-ignore

    it("shows the row, the day in the generation's time zone, the session with its bounds, the person with links, and the record", async () => {
      await recordGeneration(warehouse.bigquery, dataset, berlin);
      // 23:10 UTC of yesterday is today in Berlin, in winter and in summer.
      const at = Math.floor(NOW / 86_400_000) * 86_400_000 - 50 * MINUTE;
      const visit = { session_id: "s-1", anonymous_id: "a-1", received_at: NOW };
      const wanted = event({ ...visit, event_id: "0042", event_time: at, country: "DE", original_event_time: at - 7 });
      await insertEvents([
        wanted,
        wanted,
        event({ ...visit, event_id: "next", event_time: at + 29 * MINUTE }),
        event({ ...visit, event_id: "bot", event_time: at + 30 * MINUTE, is_bot: true }),
        event({ ...visit, event_id: "other session", event_time: at + 59 * MINUTE }),
        event({ ...visit, event_id: "other day", event_time: at - 45 * MINUTE }),
        event({
          session_id: "s-2",
          anonymous_id: "a-1",
          user_id: "u-1",
          event_time: at - 86_400_000,
          received_at: NOW,
        }),
      ]);
      const hashes = createHash("sha256").update("0042").digest("hex").slice(0, 12);
      const today = new Date(NOW).toISOString().slice(0, 10);
      const eventDate = new Date(at).toISOString().slice(0, 10);
      await insert("accepted_ids", [{ event_date: eventDate, hashes: `000000000000,${hashes}`, written_date: today }]);
      const { code, stdout, stderr } = await trace("0042");
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^event +0042: stored in the table events\n/);
      assert.match(stdout, /\nperson +user u-1; anonymous id a-1 is linked to u-1\n/);
      const found = await traced("0042");
      const iso = (ms: number): string => new Date(ms).toISOString();
      assert.equal(found.state, "stored");
      assert.equal(found.rows.length, 2);
      assert.deepEqual(
        [found.rows[0]?.country, found.rows[0]?.original_event_time, found.rows[0]?.is_bot],
        ["DE", iso(at - 7), false],
      );
      assert.equal(found.day, today);
      const session = { sessionId: "s-1", durationMs: 29 * MINUTE, events: 2 };
      assert.deepEqual(found.session, { ...session, firstEventTime: iso(at), lastEventTime: iso(at + 29 * MINUTE) });
      assert.deepEqual(found.person?.countsFor, [{ kind: "user", id: "u-1" }]);
      assert.equal(found.acceptedRecord, "recorded");
      assert.deepEqual(found.topic, { name: "events", exists: true });
      assert.deepEqual(found.notes, []);
      const bot = await traced("bot");
      assert.deepEqual([bot.session?.events, bot.acceptedRecord], [1, "not_sampled"]);
      assert.match(bot.notes.join(), /counts no bots/);
    });

    it("shows the dead letter of an event, also that of a refused row, and exits with 1", async () => {
      const letter = (payload: string | Buffer, error_type: string, source: string): object => ({
        ...{ error_type, error_message: "is wrong", source, failed_at: new Date(NOW).toISOString() },
        payload: typeof payload === "string" ? payload : payload.toString("base64"),
        payload_encoding: typeof payload === "string" ? "utf8" : "base64",
      });
      await insert("dead_letters", [
        letter('{"event_id":"e-1","event_time":"never"}', "invalid_event", "message 17"),
        letter('{"event_id":"e-12","page":"e-1"}', "invalid_event", "message 18"),
        letter(
          Buffer.concat([Buffer.from('{"event_id":"e-1","page":"'), Buffer.from([0xff])]),
          "not_utf8",
          "message 19",
        ),
      ]);
      const { code, stdout } = await trace("e-1");
      assert.equal(code, 1);
      assert.match(stdout, /^event +e-1: a dead letter\n/);
      const { state, deadLetters, notes } = await traced("e-1");
      assert.equal(state, "dead_letter");
      assert.deepEqual(deadLetters.map(({ errorType, source }) => `${errorType}, ${source}`).sort(), [
        "invalid_event, message 17",
        "not_utf8, message 19",
      ]);
      assert.match(notes.join("\n"), /has no generation[^]*dead-letters list/);
    });

    it("explains why an event is not found, and refuses a command line without an id or with a wrong day", async () => {
      await recordGeneration(warehouse.bigquery, dataset, berlin, {
        ...{ subscription: "events-gone", replayTopic: null, replaySubscription: null },
      });
      const { code, stdout } = await trace("missing", "--topic", "no-topic");
      assert.equal(code, 1);
      assert.match(stdout, /^event +missing: not found\n/);
      for (const note of [
        /Topic no-topic does not exist/,
        /Subscription events-gone does not exist/,
        /No run computes generation 1/,
      ]) {
        assert.match(stdout, note);
      }
      const [noId, wrongDay, tooMany] = await Promise.all([
        eventlogger(["trace"], { env: env() }),
        trace("e-1", "--since", "yesterday"),
        trace("e-1", "e-2"),
      ]);
      assert.deepEqual([noId.code, wrongDay.code, tooMany.code], [2, 2, 2]);
      assert.match(noId.stderr, /trace must be followed by EVENT_ID/);
      assert.match(wrongDay.stderr, /--since \(SINCE\) must be a date such as 2026-01-31, not "yesterday"/);
      assert.match(tooMany.stderr, /unexpected argument "e-2"/);
    });
  });

  describe("tail", () => {
    const now = Date.now();
    const tails: RunningCommand[] = [];
    // A test that fails must not leave a command behind.
    afterEach(() => tails.splice(0).forEach((tail) => tail.kill("SIGKILL")));
    function start(...args: string[]): RunningCommand {
      const tail = startEventlogger(["tail", ...args], { env: env() });
      tails.push(tail);
      return tail;
    }
    const buy = (event_id: string, fields: Partial<AnalyticsEvent> = {}): AnalyticsEvent =>
      event({ event_id, event_name: "buy", event_time: now, received_at: now, ...fields });

    it("shows events that arrive from now on, takes none from the pipeline, and deletes its subscription at Ctrl-C", async () => {
      await publish(buy("before"));
      const before = await subscriptions();
      const tail = start();
      await tail.stderr.includes(/Waiting for events of topic events \(subscription eventlogger-tail-/);
      assert.equal((await subscriptions()).length, before.length + 1);
      await publish(buy("e-1", { user_id: "u-1", properties: { n: 1 } }));
      await tail.stdout.includes(/buy {2}user=u-1 {2}session=s {2}\{"n":1\} {2}e-1\n/);
      tail.kill("SIGINT");
      const { code, stdout } = await tail.ended;
      assert.equal(code, 0);
      assert.doesNotMatch(stdout, /before|\u001b/);
      assert.deepEqual(await subscriptions(), before);
      // What the tail has shown is still there for the pipeline.
      const received = new Set<string>();
      const subscription = pubsub.subscription("events-pipeline");
      subscription.on("message", (message) => void (received.add(message.attributes["event_id"] ?? ""), message.ack()));
      await waitUntil("the events", () => received.has("before") && received.has("e-1"));
      await subscription.close();
    });

    it("prints JSON lines of the events that pass its filters, or of all messages, and stops after --limit events", async () => {
      // The topic of the setup has a schema, so it refuses what is not an event.
      await pubsub.createTopic("no-schema");
      const before = await subscriptions();
      const all = start("--topic", "no-schema", "--json", "--limit", "1");
      const args = ["--json", "--limit", "2", "--event-name", "buy,sell*", "--user", "u-1", "--country", "DE"];
      const tail = start("--topic", "no-schema", ...args);
      await Promise.all([tail, all].map(({ stderr }) => stderr.includes(/Waiting for events/)));
      await pubsub.topic("no-schema").publishMessage({ data: Buffer.from("no event") });
      await all.stdout.includes(/"error_type":"not_json"/);
      const wanted = { user_id: "u-1", country: "DE" };
      await publish(buy("other user", { ...wanted, user_id: "u-2" }), "no-schema");
      await publish(buy("no country", { ...wanted, country: null }), "no-schema");
      await publish(buy("other name", { ...wanted, event_name: "view" }), "no-schema");
      await publish(buy("e-1", wanted), "no-schema");
      await publish(buy("e-2", { ...wanted, event_name: "sell-all" }), "no-schema");
      const { code, stdout } = await tail.ended;
      assert.equal(code, 0);
      const events = stdout.trimEnd().split("\n").map((line) => JSON.parse(line) as AnalyticsEvent); // prettier-ignore
      assert.deepEqual(events.map(({ event_id }) => event_id).sort(), ["e-1", "e-2"]);
      const [invalid, first, ...others] = (await all.ended).stdout.trimEnd().split("\n");
      assert.match(
        invalid ?? "",
        /^\{"message_id":"\d+","error_type":"not_json","error_message":"The message is not JSON/,
      );
      assert.match(first ?? "", /"event_name"/);
      assert.deepEqual(others, []);
      assert.deepEqual(await subscriptions(), before);
    });

    it("fails for a topic that does not exist, and for an invalid limit", async () => {
      const [noTopic, wrong] = await Promise.all([
        eventlogger(["tail", "--topic", "no-topic"], { env: env() }),
        eventlogger(["tail", "--limit", "0"], { env: env() }),
      ]);
      assert.deepEqual([noTopic.code, wrong.code], [1, 2]);
      assert.match(noTopic.stderr, /Topic no-topic does not exist in project demo-project/);
      assert.match(wrong.stderr, /--limit \(LIMIT\) must be/);
    });
  });
});
