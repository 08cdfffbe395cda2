import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { EventSender } from "@eventlogger/traffic/client/eventSender";
import { sendAll } from "@eventlogger/traffic/client/sendAll";
import type { AnalyticsEvent, EventInput } from "@eventlogger/events/event";
import { bruteForceRollups, type RollupReport } from "@eventlogger/traffic/bruteForce";
import { generateTraffic } from "@eventlogger/traffic/generator/trafficGenerator";
import type { TrafficOptions } from "@eventlogger/traffic/generator/trafficOptions";
import { validateEvent } from "@eventlogger/events/validation";

/** How long after the last POST the numbers may take when nothing is killed. */
const EXACT_WITHIN_MS = 60_000;

/** Six days, one of them in 2020, and everything that can go wrong with order. */
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
  assert(result.ok, "the generator makes events that are accepted");
  return result.event;
}

/** Adversarial traffic to one service, and what brute force makes of all of it. */
export class Traffic {
  private readonly now = Date.now();
  private readonly all: AnalyticsEvent[] = [];

  /** @param url of the service, without a path */
  constructor(private readonly url: string) {}

  /**
   * Posts events; every one must be taken, after retries if need be. Calls `halfWay` once in the middle.
   * @param rate events a second; 0 is as fast as they are taken
   */
  async post(options: Partial<TrafficOptions>, halfWay: () => Promise<void> = async () => {}, rate = 0): Promise<void> {
    const events = [...generateTraffic({ ...ADVERSARIAL, now: this.now, ...options })];
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

  /**
   * What `GET /event/` answers.
   * @throws Error with the answer when it is none, such as a 503 while BigQuery is slow
   */
  async rollups(): Promise<RollupReport> {
    const response = await fetch(`${this.url}/event/`);
    if (response.status !== 200) throw new Error(`GET /event/ gave ${response.status}: ${await response.text()}`);
    const { total_users, daily_stats } = (await response.json()) as RollupReport;
    return { total_users, daily_stats };
  }

  /** Waits until `GET /event/` shows exactly what brute force makes of all events that were accepted. */
  async assertExact(withinMs = EXACT_WITHIN_MS): Promise<void> {
    const lastPost = Date.now();
    const want = bruteForceRollups(this.all);
    for (;;) {
      try {
        assert.deepEqual(await this.rollups(), want);
        console.log(`      exact ${((Date.now() - lastPost) / 1000).toFixed(1)} s after the last POST`);
        return;
      } catch (error) {
        if (Date.now() - lastPost > withinMs) throw error;
        if (!(error instanceof assert.AssertionError)) console.log(`      ${String(error)}`);
      }
      await sleep(500);
    }
  }
}
