import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { bruteForceRollups, type RollupReport } from "@eventlogger/traffic/bruteForce";
import type { Definitions } from "../e2e/traffic";

/** An answer of `GET /event/`. */
interface Answer extends RollupReport {
  readonly generation: number;
  /** Seconds. */
  readonly session_gap: number;
  readonly time_zone: string;
}

const POLL_MS = 250;
/** Difference of two average durations that tells them apart; seconds. */
const MIN_DIFFERENCE_S = 60;

/** Reads `GET /event/` all the time, as a dashboard does. */
export class Reader {
  private readonly answers: Answer[] = [];
  private isStopping = false;
  private readonly reading: Promise<void>;

  constructor(private readonly url: string) {
    this.reading = this.read();
  }

  private async read(): Promise<void> {
    while (!this.isStopping) {
      const response = await fetch(`${this.url}/event/`).catch(() => undefined);
      // While the database is busy, a replica may answer 503.
      if (response?.status === 200) this.answers.push((await response.json()) as Answer);
      else await response?.text();
      await sleep(POLL_MS);
    }
  }

  /** Resolves when the last answer has arrived. */
  async stop(): Promise<void> {
    this.isStopping = true;
    await this.reading;
  }

  /**
   * Checks every answer: it has the numbers of one generation, and of its definitions, on all days. Generations follow each other, and
   * hardly any event that was counted is missing later.
   *
   * Events keep coming, so that numbers change all the time. The average duration of a session hardly does: it tells which session gap a
   * number has. So the gaps of neighbouring generations must differ a lot, or their days.
   * @param definitions those of each generation
   * @param events all events that were accepted until now
   */
  assertOneGenerationEach(definitions: ReadonlyMap<number, Definitions>, events: readonly AnalyticsEvent[]): void {
    assert.ok(this.answers.length > 10, `${this.answers.length} answers`);
    const wanted = new Map(
      [...definitions].map(([id, { gapMs, timeZone }]) => [id, durations(bruteForceRollups(events, gapMs, timeZone))]),
    );
    let last = { generation: 0, total_users: 0 };
    for (const answer of this.answers) {
      const { generation, total_users } = answer;
      assert.ok(generation >= last.generation, `generation ${generation} after ${last.generation}`);
      // At the switch, some events are in flight.
      assert.ok(total_users >= last.total_users * 0.98, `${total_users} users after ${last.total_users}`);
      last = answer;
      const own = definitions.get(generation);
      assert.deepEqual([answer.session_gap * 1000, answer.time_zone], [own?.gapMs, own?.timeZone]);
      for (const [date, duration] of durations(answer)) {
        const [want, ...others] = [generation, ...definitions.keys()].map((id) => wanted.get(id)?.get(date));
        assert.ok(want !== undefined, `generation ${generation} has no day ${date}`);
        for (const other of others) {
          // Definitions that are too similar to tell.
          if (other === undefined || Math.abs(other - want) < MIN_DIFFERENCE_S) continue;
          assert.ok(
            Math.abs(duration - want) < Math.abs(duration - other),
            `${date} has an average of ${duration} s in generation ${generation}, which should have about ${want} s, not ${other} s`,
          );
        }
      }
    }
  }

  /** The generations that were seen, in their order. */
  get generations(): number[] {
    return [...new Set(this.answers.map(({ generation }) => generation))];
  }
}

/** Average session duration in seconds, by day; only of days with many sessions. */
function durations({ daily_stats }: RollupReport): Map<string, number> {
  const many = daily_stats.filter(({ session_count }) => session_count >= 100);
  return new Map(many.map((day) => [day.date, day.average_session_duration_sec]));
}
