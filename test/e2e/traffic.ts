import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { EventSender } from "@eventlogger/traffic/client/eventSender";
import { sendAll } from "@eventlogger/traffic/client/sendAll";
import type { AnalyticsEvent, EventInput } from "@eventlogger/events/event";
import { dayFromCalendar, dayOf, dayToIso } from "@eventlogger/events/day";
import { bruteForceRollups, type DailyStat, type RollupReport } from "@eventlogger/traffic/bruteForce";
import { generateTraffic } from "@eventlogger/traffic/generator/trafficGenerator";
import type { TrafficOptions } from "@eventlogger/traffic/generator/trafficOptions";
import { validateEvent } from "@eventlogger/events/validation";

/** Time from the last POST to exact numbers when nothing is killed, ms; long enough for a busy machine. */
const EXACT_LIMIT_MS = 180_000;

/** Not after the oldest event of {@link ADVERSARIAL}. */
const FIRST_DAY = dayFromCalendar(2020, 1, 1) as number;
/** Maximum number of days in an answer of `GET /event/`. */
const DAYS_PER_ANSWER = 1000;

/** Events of six days, one of them in 2020, out of order and with duplicates. */
const ADVERSARIAL: Partial<TrafficOptions> = {
  days: 5,
  count: 20_000,
  users: 2000,
  eventsPerSession: 4,
  duplicateShare: 0.1,
  anonymousShare: 0.1,
};

function accepted(input: EventInput): AnalyticsEvent {
  const result = validateEvent(input, Date.now());
  assert(result.ok, "the generated event is valid");
  return result.event;
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

  /** The ids of all accepted events. */
  acceptedIds(): Set<string> {
    return new Set(this.all.map((event) => event.event_id));
  }

  /**
   * Reads `GET /event/`.
   * @throws Error with any other answer than 200, such as a 503 while BigQuery is slow
   */
  async rollups(): Promise<RollupReport> {
    const daily_stats: DailyStat[] = [];
    let total_users = 0;
    // One answer has at most 1,000 days.
    for (let from = FIRST_DAY; from <= dayOf(Date.now()) + 1; from += DAYS_PER_ANSWER) {
      const range = `from=${dayToIso(from)}&to=${dayToIso(from + DAYS_PER_ANSWER - 1)}`;
      const response = await fetch(`${this.url}/event/?${range}`);
      if (response.status !== 200) throw new Error(`GET /event/ answered ${response.status}: ${await response.text()}`);
      const report = (await response.json()) as RollupReport;
      total_users = report.total_users;
      daily_stats.push(...report.daily_stats);
    }
    return { total_users, daily_stats };
  }

  /** Waits until `GET /event/` equals the numbers that brute force computes from all accepted events. */
  async assertExact(timeoutMs = EXACT_LIMIT_MS): Promise<void> {
    const lastPost = Date.now();
    const want = bruteForceRollups(this.all);
    for (;;) {
      try {
        assert.deepEqual(await this.rollups(), want);
        console.log(`      exact ${((Date.now() - lastPost) / 1000).toFixed(1)} s after the last POST`);
        return;
      } catch (error) {
        if (Date.now() - lastPost > timeoutMs) throw error;
        if (!(error instanceof assert.AssertionError)) console.log(`      ${String(error)}`);
      }
      await sleep(500);
    }
  }
}
