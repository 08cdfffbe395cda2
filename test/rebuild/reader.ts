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
   * Checks every answer: it has the numbers of one generation, and of its definitions, on all days. Generations follow each other, and no
   * event that was counted is missing later.
   *
   * Events of a fixed set of users, all of which are known, keep coming, so that numbers change all the time. The sessions per active user hardly do: they tell which
   * session gap a number has. So the gaps of neighbouring generations must differ a lot, or their days.
   * @param definitions those of each generation
   * @param events all events that were accepted until now
   */
  assertOneGenerationEach(definitions: ReadonlyMap<number, Definitions>, events: readonly AnalyticsEvent[]): void {
    assert.ok(this.answers.length > 10, `${this.answers.length} answers`);
    const wanted = new Map(
      [...definitions].map(([id, { gapMs, timeZone }]) => [id, ratios(bruteForceRollups(events, gapMs, timeZone))]),
    );
    let last = { generation: 0, total_users: 0 };
    for (const answer of this.answers) {
      const { generation, total_users } = answer;
      assert.ok(generation >= last.generation, `generation ${generation} after ${last.generation}`);
      assert.ok(total_users >= last.total_users, `${total_users} users after ${last.total_users}`);
      last = answer;
      const own = definitions.get(generation);
      assert.deepEqual([answer.session_gap * 1000, answer.time_zone], [own?.gapMs, own?.timeZone]);
      for (const [date, ratio] of ratios(answer)) {
        const [want, ...others] = [generation, ...definitions.keys()].map((id) => wanted.get(id)?.get(date));
        assert.ok(want !== undefined, `generation ${generation} has no day ${date}`);
        for (const other of others) {
          // Too few events, or too similar definitions, to tell.
          if (other === undefined || Math.abs(other / want - 1) < 0.5) continue;
          assert.ok(
            Math.abs(ratio - want) < Math.abs(ratio - other),
            `${date} has ${ratio} sessions per user in generation ${generation}, which should have about ${want}, not ${other}`,
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

/** Sessions per active user, by day; only of days with many users. */
function ratios({ daily_stats }: RollupReport): Map<string, number> {
  const many = daily_stats.filter(({ active_user_count }) => active_user_count >= 50);
  return new Map(many.map(({ date, session_count, active_user_count }) => [date, session_count / active_user_count]));
}
