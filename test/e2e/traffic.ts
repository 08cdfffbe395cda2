import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { BigQuery } from "@google-cloud/bigquery";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { waitUntil } from "@eventlogger/process/wait";
import { EventSender } from "@eventlogger/traffic/client/eventSender";
import { sendAll } from "@eventlogger/traffic/client/sendAll";
import type { AnalyticsEvent, EventInput } from "@eventlogger/events/event";
import { dayFromCalendar, dayOf, dayToIso } from "@eventlogger/events/day";
import {
  answeredNumbers,
  bruteForceStatistics,
  type AnsweredStatistics,
  type StatisticsReport,
} from "@eventlogger/traffic/bruteForce";
import { bruteForceRetention, type RetentionReport } from "@eventlogger/traffic/bruteForceRetention";
import { isOfBot, userAgentOf } from "@eventlogger/traffic/generator/bots";
import { generateTraffic } from "@eventlogger/traffic/generator/trafficGenerator";
import type { TrafficOptions } from "@eventlogger/traffic/generator/trafficOptions";
import { validateEvent } from "@eventlogger/events/validation";

/** Time from the last POST to exact numbers when nothing is killed, ms; long enough for a busy machine. */
const EXACT_LIMIT_MS = 180_000;

/** Not after the oldest event of {@link ADVERSARIAL}. */
const FIRST_DAY = dayFromCalendar(2020, 1, 1) as number;
/** Maximum number of days in an answer of `GET /event/`. */
const DAYS_PER_ANSWER = 1000;

/** What numbers depend on. */
export interface Definitions {
  /** Session gap; ms. */
  readonly gapMs: number;
  /** IANA name. */
  readonly timeZone: string;
}

/**
 * Events of six days, one of them in 2020, out of order and with duplicates, of users, bots, and anonymous visitors who may log in later. Some
 * devices have more users than can be linked.
 */
const ADVERSARIAL: Partial<TrafficOptions> = {
  days: 5,
  count: 20_000,
  users: 2000,
  eventsPerSession: 4,
  duplicateShare: 0.1,
  anonymousShare: 0.1,
  anonymousIdShare: 0.4,
  sharedDeviceShare: 0.3,
  botShare: 0.1,
};

/** Fields of an accepted event that a client cannot send. */
const SET_BY_SERVICE = ["received_at", "is_bot", "original_event_time", "browser", "os"];

function accepted(input: EventInput): AnalyticsEvent {
  const result = validateEvent(input, Date.now());
  assert(result.ok, "the generated event is valid");
  // The service knows bots by the user agent of the request.
  return { ...result.event, is_bot: isOfBot(input) };
}

/** Sends adversarial traffic to a service, and computes the expected numbers of all of it by brute force. */
export class Traffic {
  private readonly now = Date.now();
  private readonly all: AnalyticsEvent[] = [];

  /** @param url base URL of the service */
  constructor(private readonly url: string) {}

  /**
   * Posts events. Each one must be accepted, after retries if necessary. Calls `halfWay` once, after half of the events.
   * @param rate events per second; 0 sends as fast as possible
   */
  async post(options: Partial<TrafficOptions>, halfWay: () => Promise<void> = async () => {}, rate = 0): Promise<void> {
    await this.postEvents([...generateTraffic({ ...ADVERSARIAL, now: this.now, ...options })], halfWay, rate);
  }

  /** {@link post} for given events. */
  async postEvents(
    events: readonly EventInput[],
    halfWay: () => Promise<void> = async () => {},
    rate = 0,
  ): Promise<void> {
    const signal = new AbortController().signal;
    const sender = new EventSender({
      url: new URL("/event/", this.url),
      connections: 32,
      retryForMs: 120_000,
      signal,
      userAgentOf: (event) => userAgentOf(event as EventInput),
    });
    let sent = 0;
    let interruption = Promise.resolve();
    const counts = await sendAll(events.values(), (event) => sender.send(event), {
      rate,
      concurrency: 32,
      signal,
      onOutcome: () => {
        if (++sent === Math.floor(events.length / 2)) interruption = halfWay();
      },
    });
    sender.close();
    assert.deepEqual(counts, { accepted: events.length, refused: 0, failed: 0 });
    for (const event of events) this.all.push(accepted(event));
    await interruption;
  }

  /** All accepted events, each as often as it was sent. */
  get accepted(): readonly AnalyticsEvent[] {
    return this.all;
  }

  /**
   * Keeps posting events of any order and age, with duplicates.
   * @param rate events per second
   * @returns ends it, and resolves when every event is accepted
   */
  keepPosting(rate: number, options: Partial<TrafficOptions> = {}): () => Promise<void> {
    let isStopping = false;
    const posting = (async () => {
      for (let seed = 1000; !isStopping; seed++)
        await this.post({ ...options, seed, count: rate * 2 }, undefined, rate);
    })();
    posting.catch(() => {}); // reported to the caller that ends it
    return () => {
      isStopping = true;
      return posting;
    };
  }

  /** Number of accepted events; an event that was sent again counts once. */
  get uniqueEvents(): number {
    return new Set(this.all.map((event) => event.event_id)).size;
  }

  /** An event between two others of the same user, session and day, less than half an hour apart: no number depends on it. */
  eventInsideSession(): AnalyticsEvent {
    const unique = [...new Map(this.all.map((event) => [event.event_id, event])).values()];
    const key = ({ session_id, user_id, event_time }: AnalyticsEvent): string =>
      JSON.stringify([session_id, user_id, dayOf(event_time)]);
    const sorted = unique.sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : a.event_time - b.event_time));
    const found = sorted.find((event, i) => {
      const [before, after] = [sorted[i - 1], sorted[i + 1]];
      if (!before || !after || key(before) !== key(event) || key(after) !== key(event)) return false;
      return after.event_time - before.event_time < 30 * 60_000;
    });
    assert(found, "a session has three events");
    return found;
  }

  /** Posts an accepted event once more, with its event_id. */
  async postAgain(event: AnalyticsEvent): Promise<void> {
    const sent = Object.entries(event).filter(([name]) => !SET_BY_SERVICE.includes(name));
    await this.postEvents([Object.fromEntries(sent) as unknown as EventInput]);
  }

  /**
   * Waits until every accepted event has a row in `events` or, by its id, in `dead_letters`.
   * @returns the ids in the latter
   */
  async untilAccounted(bigquery: BigQuery, timeoutMs: number): Promise<string[]> {
    const accepted = new Set(this.all.map((event) => event.event_id));
    const idsOf = async (sql: string): Promise<string[]> => {
      const rows = await runQuery(bigquery, sql);
      return rows.map((row) => row.text("event_id"));
    };
    let missing: string[] = [];
    const accounted = async (): Promise<{ refused: string[] } | undefined> => {
      const stored = await idsOf("SELECT DISTINCT event_id FROM analytics.events");
      const refused = await idsOf(
        "SELECT DISTINCT JSON_VALUE(payload, '$.event_id') AS event_id FROM analytics.dead_letters " +
          "WHERE STARTS_WITH(error_type, 'row_refused') ORDER BY event_id",
      );
      const found = new Set([...stored, ...refused]);
      missing = [...accepted].filter((id) => !found.has(id));
      return missing.length ? undefined : { refused };
    };
    const details = (): string => `${missing.length} are missing: ${missing.slice(0, 10).join()}`;
    const limits = { timeoutMs, intervalMs: 1000, retryErrors: true, details };
    return (await waitUntil("a row or a dead letter of every accepted event", accounted, limits)).refused;
  }

  /**
   * Reads `GET /event/`.
   * @throws Error with any other answer than 200, such as a 503 while BigQuery is slow
   */
  async rollups(): Promise<StatisticsReport> {
    const answers = await this.readAll<AnsweredStatistics>("/event/");
    const reports = answers.map(answeredNumbers);
    return {
      total_users: reports.at(-1)?.total_users ?? 0,
      daily_stats: reports.flatMap(({ daily_stats }) => daily_stats),
    };
  }

  /** Reads `GET /retention/`; throws as {@link rollups}. */
  async retention(): Promise<RetentionReport> {
    const reports = await this.readAll<RetentionReport>("/retention/");
    return { cohorts: reports.flatMap(({ cohorts }) => cohorts) };
  }

  /** Reads the answers of a path for all days. One answer has at most 1,000 days. */
  private async readAll<Report>(path: string): Promise<Report[]> {
    const reports: Report[] = [];
    for (let from = FIRST_DAY; from <= dayOf(Date.now()) + 1; from += DAYS_PER_ANSWER) {
      const range = `from=${dayToIso(from)}&to=${dayToIso(from + DAYS_PER_ANSWER - 1)}`;
      const response = await fetch(`${this.url}${path}?${range}`);
      if (response.status !== 200) throw new Error(`GET ${path} answered ${response.status}: ${await response.text()}`);
      reports.push((await response.json()) as Report);
    }
    return reports;
  }

  /**
   * Waits until `GET /event/` and `GET /retention/` equal the numbers that brute force computes from all accepted events.
   * @param definitions session gap in ms and IANA name of the time zone. @default those of the first generation
   */
  async assertExact(timeoutMs = EXACT_LIMIT_MS, definitions: Partial<Definitions> = {}): Promise<void> {
    const lastPost = performance.now();
    const want = [bruteForceStatistics(this.all, definitions), bruteForceRetention(this.all, definitions)];
    let got: unknown[] = [];
    const isExact = async (): Promise<boolean> => {
      got = [await this.rollups(), await this.retention()];
      return isDeepStrictEqual(got, want);
    };
    // The difference of years of days takes seconds to print: only at the end.
    const details = (): string =>
      new assert.AssertionError({ actual: got, expected: want, operator: "deepStrictEqual" }).message;
    await waitUntil("exact numbers", isExact, { timeoutMs, intervalMs: 1000, retryErrors: true, details });
    console.log(`      exact ${((performance.now() - lastPost) / 1000).toFixed(1)} s after the last POST`);
  }
}
