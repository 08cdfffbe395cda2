import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Message } from "@google-cloud/pubsub";
import { startPubSubEmulator, type PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { startRecordingProxy, type RecordingProxy } from "@eventlogger/gcp/bigquery/testing/recordingProxy";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import type { DeadLetter } from "@eventlogger/events/deadLetter";
import { encodeMessage } from "@eventlogger/events/eventMessage";
import {
  DeadLetterFolders,
  DeadLetterTable,
  type DeadLetterFilter,
  type DeadLetterSource,
} from "../deadLetters/deadLetterSource";
import type { StoredDeadLetter } from "../deadLetters/storedDeadLetter";
import { eventRow } from "../io/bigquery/eventRow";
import { WriteDeadLetters } from "../io/bigquery/writeDeadLetters";
import { WriteRows } from "../io/bigquery/writeRows";
import { parseMessage } from "../parse/parseMessages";
import { eventlogger, type CliRun } from "./testing/eventlogger";

const NOW = Date.now();
const anEvent = (event_id: string, fields: Partial<AnalyticsEvent> = {}): AnalyticsEvent =>
  event({ event_id, event_time: NOW, received_at: NOW, ...fields });
const REFUSED = anEvent("refused", { user_id: "u", properties: { a: 1.5, b: ['"', null] } });

interface Report {
  readonly sent: number;
  readonly stored: number;
  readonly notSent: number;
  readonly notSentLetters: { source: string; reason: string }[];
  readonly unreadable: { line: number }[];
}

describe("eventlogger dead-letters", () => {
  const bigquery = useBigQueryEmulator();
  let directory: string;
  let pubsub: PubSubEmulator;
  let client: ReturnType<typeof pubSubClient>;
  let proxy: RecordingProxy;
  let dataset: string;
  let stateDir: string;
  const { warn } = console;

  before(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "dead-letters-"));
    pubsub = await startPubSubEmulator({ logFile: path.join(directory, "log") });
    proxy = await startRecordingProxy(bigquery.emulator.url);
    const setup = await eventlogger(["setup"], { env: env() });
    assert.equal(setup.code, 0, setup.stderr);
    process.env["PUBSUB_EMULATOR_HOST"] = pubsub.host;
    client = pubSubClient({ project: bigquery.project });
  });
  after(async () => {
    delete process.env["PUBSUB_EMULATOR_HOST"];
    await client?.close();
    await proxy?.stop();
    await pubsub?.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  beforeEach(async () => {
    dataset = await bigquery.freshDataset();
    stateDir = path.join(directory, dataset);
    console.warn = () => {}; // retries
    proxy.refuses = ({ json }) => json["event_id"] === REFUSED.event_id;
  });

  afterEach(() => Object.assign(console, { warn }));

  const env = (): Record<string, string> => ({
    PUBSUB_EMULATOR_HOST: pubsub.host,
    BIGQUERY_ENDPOINT: bigquery.emulator.url,
  });
  const run = (...args: string[]): Promise<CliRun> =>
    eventlogger(["dead-letters", ...args, "--dataset", dataset, "--state-dir", stateDir], { env: env() });
  async function resend(code: number, ...args: string[]): Promise<Report> {
    const result = await run("resend", "--json", ...args);
    assert.equal(result.code, code, result.stderr + result.stdout);
    return JSON.parse(result.stdout) as Report;
  }

  /** Writes like the pipeline: messages to `events`, and what is refused to the dead letters. */
  async function processMessages(messages: readonly (Uint8Array | string)[]): Promise<void> {
    const target = { project: bigquery.project, dataset, endpoint: proxy.url };
    const writeEvents = new WriteRows(target, "events");
    const writeDeadLetters = new WriteDeadLetters(target, path.join(stateDir, "dead-letters"));
    const deadLetters: DeadLetter[] = [];
    for (const [i, data] of messages.entries()) {
      const bytes = Buffer.from(data);
      const parsed = parseMessage({ data: bytes, messageId: `m${i}`, publishTime: NOW }, 86_400_000, NOW);
      if (parsed.kind === "deadLetter") deadLetters.push(parsed.deadLetter);
      else await writeEvents.process(eventRow(parsed.event), () => assert.fail());
    }
    await writeEvents.finishBundle((letter) => deadLetters.push(letter));
    for (const letter of deadLetters) await writeDeadLetters.process(letter, () => assert.fail());
    await writeDeadLetters.finishBundle(() => assert.fail("a dead letter was refused"));
  }

  /** The messages that were published since the last call, of which there are `n`. */
  async function published(n: number): Promise<Buffer[]> {
    const messages: Buffer[] = [];
    const subscription = client.subscription("events-pipeline");
    const enough = new Promise<void>((resolve, reject) => {
      subscription.on("error", reject).on("message", (message: Message) => {
        message.ack();
        if (messages.push(message.data) === n) resolve();
      });
    });
    await enough;
    await subscription.close();
    return messages;
  }

  async function eventIds(): Promise<string[]> {
    const rows = await runQuery(bigquery.bigquery, `SELECT event_id FROM ${dataset}.events ORDER BY event_id`);
    return rows.map((row) => row.text("event_id"));
  }

  for (const from of ["table", "file"]) {
    it(`a refused row is listed from the ${from}, sent again, and stored once after BigQuery accepts it`, async () => {
      await processMessages([anEvent("a"), REFUSED, anEvent("b")].map((e) => encodeMessage(e).data));
      assert.deepEqual(await eventIds(), ["a", "b"]);
      assert.equal(readdirSync(path.join(stateDir, "dead-letters")).length, 1);
      const listed = await run("list", "--from", from);
      assert.equal(listed.code, 0, listed.stderr);
      assert.match(
        listed.stdout,
        /^20\S+Z {2}row_refused: invalid {2}table events {2}\S{43}\n {4}refused by a policy\n {4}can be sent again as event refused\n1 dead letter\n$/,
      );
      // A first attempt without publishing.
      const dry = await run("resend", "--from", from, "--dry-run");
      assert.equal(dry.stdout, "would send 1 event, 0 stored already, 0 cannot be sent\n");
      if (from === "file") await bigquery.bigquery.dataset(dataset).table("dead_letters").delete(); // the table is lost
      const { sent, notSent } = await resend(0, "--from", from);
      assert.deepEqual([sent, notSent], [1, 0]);
      const messages = await published(1);
      assert.deepEqual(messages, [encodeMessage(REFUSED).data]);
      proxy.refuses = () => false; // the cause is fixed
      await processMessages(messages);
      assert.deepEqual(await eventIds(), ["a", "b", "refused"]);
      const again = await resend(0, "--from", from);
      assert.deepEqual([again.sent, again.stored], [0, 1]);
      if (from === "table")
        assert.match((await run("list")).stdout, /stored: the table events has a row of event refused/);
    });
  }

  it("resend names what cannot be sent, sends the rest, and exits with 1", async () => {
    await processMessages([
      encodeMessage(REFUSED).data,
      encodeMessage(anEvent("a")).data,
      "no JSON",
      '{"type":"event"}',
    ]);
    const folder = path.join(stateDir, "dead-letters");
    appendFileSync(path.join(folder, readdirSync(folder)[0] ?? ""), "half a li");
    for (const from of ["table", "file"]) {
      const report = await resend(1, "--from", from);
      assert.deepEqual([report.sent, report.stored, report.notSent], [1, 0, 2]);
      const reasons = report.notSentLetters.map(({ source, reason }) => `${source}: ${reason}`).sort();
      assert.match(reasons[0] ?? "", /^message m2: The message is not JSON/);
      assert.match(reasons[1] ?? "", /^message m3: .*session_id is required/);
      assert.deepEqual(
        report.unreadable.map(({ line }) => line),
        from === "file" ? [4] : [],
      );
      await published(1);
    }
    const text = await run("resend", "--error-type", "not_json,not_utf8");
    assert.equal(text.code, 1);
    assert.match(
      text.stdout,
      /^not sent 20\S+ {2}not_json {2}message m2 {2}\S+\n {4}The message is not JSON: .*\nsent 0 events, 0 stored already, 1 cannot be sent\n$/,
    );
  });

  it("list and resend read only the dead letters of the chosen types and times", async () => {
    await processMessages([encodeMessage(REFUSED).data, encodeMessage(anEvent("a")).data, "no JSON"]);
    const tomorrow = NOW + 86_400_000;
    const folder = path.join(stateDir, "dead-letters");
    const sources: DeadLetterSource[] = [
      new DeadLetterTable(bigquery.bigquery, dataset),
      new DeadLetterFolders([folder], () => assert.fail("a line is unreadable")),
    ];
    for (const source of sources) {
      const found = async (filter: Partial<DeadLetterFilter>, limit = 50): Promise<number[]> => {
        const chosen = { errorTypes: [], since: undefined, until: undefined, ...filter };
        const { letters, total } = await source.newest(chosen, limit);
        const read: StoredDeadLetter[] = [];
        for await (const letter of source.read(chosen)) read.push(letter);
        assert.deepEqual(letters, read.slice(-limit));
        return [total, letters.length];
      };
      assert.deepEqual(await found({ until: tomorrow }), [2, 2]);
      assert.deepEqual(await found({}, 1), [2, 1]);
      assert.deepEqual(await found({ since: tomorrow }), [0, 0]);
      assert.deepEqual(await found({ errorTypes: ["row_refused"] }), [1, 1]);
      assert.deepEqual(await found({ errorTypes: ["row_refused: invalid", "not_json"] }), [2, 2]);
      assert.deepEqual(await found({ errorTypes: ["row"] }), [0, 0]);
    }
    const none = await resend(0, "--from", "file", "--since", new Date(tomorrow).toISOString());
    assert.deepEqual([none.sent, none.notSent], [0, 0]);
  });

  it("resend exits with 1 and names the topic when it does not exist", async () => {
    await processMessages([encodeMessage(REFUSED).data, encodeMessage(anEvent("a")).data]);
    const { code, stdout, stderr } = await run("resend", "--topic", "none");
    assert.equal(code, 1);
    assert.match(stdout, /^sent 0 events/);
    assert.match(
      stderr,
      /^error: Stopped before the last dead letter: Topic none does not exist in project demo-project/,
    );
  });

  it("exits with 2 without list or resend, and when --since is not before --until", async () => {
    const [none, other, times] = await Promise.all([
      eventlogger(["dead-letters"]),
      eventlogger(["dead-letters", "lst"]),
      eventlogger(["dead-letters", "list", "--since", "2026-02-01", "--until", "2026-01-01"]),
    ]);
    assert.deepEqual([none.code, other.code, times.code], [2, 2, 2]);
    assert.match(none.stderr, /dead-letters must be followed by list or resend/);
    assert.match(other.stderr, /dead-letters must be followed by list or resend, not "lst"/);
    assert.match(times.stderr, /--since \(SINCE\) must be before --until \(UNTIL\)/);
  });
});
