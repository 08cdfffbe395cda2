import assert from "node:assert/strict";
import type { BigQuery } from "@google-cloud/bigquery";
import type { AnalyticsEvent, EventInput } from "@eventlogger/events/event";
import { validateEvent } from "@eventlogger/events/validation";
import {
  answeredNumbers,
  bruteForceStatistics,
  type AnsweredStatistics,
  type StatisticsReport,
} from "@eventlogger/traffic/bruteForce";
import { waitUntil } from "@eventlogger/process/wait";

/** What the tables contain. */
export interface TableContents {
  /** Ids of the events in `events`. */
  readonly eventIds: ReadonlySet<string>;
  /** Number of rows of `events`. */
  readonly eventRows: number;
  /** Payloads of `dead_letters`. */
  readonly deadLetters: readonly string[];
}

async function query<T>(bigquery: BigQuery, text: string): Promise<T[]> {
  const [job] = await bigquery.createQueryJob({ query: text });
  const [rows] = (await job.getQueryResults()) as [T[], ...unknown[]];
  return rows;
}

/** Reads all rows. @param dataset name of the dataset */
export async function readTables(bigquery: BigQuery, dataset: string): Promise<TableContents> {
  const ids = await query<{ event_id: string; n: number }>(
    bigquery,
    `SELECT event_id, COUNT(*) AS n FROM ${dataset}.events GROUP BY event_id`,
  );
  const letters = await query<{ payload: string }>(bigquery, `SELECT DISTINCT payload FROM ${dataset}.dead_letters`);
  return {
    eventIds: new Set(ids.map(({ event_id }) => event_id)),
    eventRows: ids.reduce((sum, { n }) => sum + Number(n), 0),
    deadLetters: letters.map(({ payload }) => payload),
  };
}

/** The accepted events of a test, and where each of them must be found. */
export class Ledger {
  private readonly accepted = new Map<string, AnalyticsEvent>();
  /** Payloads that must become dead letters. */
  private readonly invalid = new Set<string>();

  /** @param url base URL of the service that answers `GET /event/` */
  constructor(
    private readonly bigquery: BigQuery,
    private readonly dataset: string,
    private readonly url: string,
  ) {}

  /** Number of different events. */
  get events(): number {
    return this.accepted.size;
  }

  /** Records events that the service has acknowledged. */
  add(inputs: readonly EventInput[]): void {
    for (const input of inputs) {
      const result = validateEvent(input, Date.now());
      assert(result.ok, "the event is valid");
      this.accepted.set(result.event.event_id, result.event);
    }
  }

  /** Records a message that is not an event and was published to the topic. */
  addInvalidMessage(payload: string): void {
    this.invalid.add(payload);
  }

  /**
   * Waits until the rollups equal the numbers that brute force computes from all accepted events, and every accepted event
   * and invalid message is in `events` or `dead_letters`.
   * @returns time until then, ms
   * @throws TimeoutError with what differs
   */
  async settle(timeoutMs: number): Promise<{ ms: number; rowsPerEvent: number }> {
    const startedAt = performance.now();
    const want = bruteForceStatistics(this.accepted.values());
    const exact = async (): Promise<true> => {
      assert.deepEqual(await this.rollups(want), want);
      return true;
    };
    await waitUntil("exact rollups", exact, { timeoutMs, intervalMs: 500, retryErrors: true });
    const ms = Math.round(performance.now() - startedAt);
    let contents: TableContents | undefined;
    const complete = async (): Promise<true> => {
      contents = await readTables(this.bigquery, this.dataset);
      this.assertComplete(contents);
      return true;
    };
    // Raw rows and dead letters are written by other steps than the rollups.
    await waitUntil("every event to be stored", complete, { intervalMs: 1000, retryErrors: true });
    return { ms, rowsPerEvent: (contents?.eventRows ?? 0) / this.accepted.size };
  }

  /** @throws AssertionError that names events that are in no table, or in one that nobody has sent */
  private assertComplete({ eventIds, deadLetters }: TableContents): void {
    const letters = new Set(deadLetters);
    const refused = new Set(
      deadLetters
        .flatMap((payload) => /"event_id":"([^"]+)"/.exec(payload)?.[1] ?? [])
        .filter((id) => this.accepted.has(id)),
    );
    const missing = [...this.accepted.keys()].filter((id) => !eventIds.has(id) && !refused.has(id));
    assert.deepEqual(missing.slice(0, 10), [], `${missing.length} of ${this.events} accepted events are in no table`);
    const unknown = [...eventIds].filter((id) => !this.accepted.has(id));
    assert.deepEqual(
      unknown.slice(0, 10),
      [],
      `${unknown.length} events were stored that the service has not accepted`,
    );
    const missingLetters = [...this.invalid].filter((payload) => !letters.has(payload));
    assert.deepEqual(missingLetters.slice(0, 10), [], `${missingLetters.length} invalid messages are no dead letters`);
  }

  /** Reads `GET /event/` for each of the wanted days, in ranges without many empty days. */
  private async rollups({ daily_stats }: StatisticsReport): Promise<StatisticsReport> {
    const found: StatisticsReport["daily_stats"] = [];
    let total_users = 0;
    const days = daily_stats.map(({ date }) => date.split("/").reverse().join("-"));
    for (const [from, to] of ranges(days)) {
      const response = await fetch(`${this.url}/event/?from=${from}&to=${to}`);
      const text = await response.text();
      assert.equal(response.status, 200, text);
      const report = answeredNumbers(JSON.parse(text) as AnsweredStatistics);
      total_users = report.total_users;
      found.push(...report.daily_stats);
    }
    return { total_users, daily_stats: found };
  }
}

/** Ranges of ascending days with less than a month between neighbours. */
function ranges(days: readonly string[]): [from: string, to: string][] {
  const found: [string, string][] = [];
  for (const day of days) {
    const last = found.at(-1);
    if (last && Date.parse(day) - Date.parse(last[1]) < 30 * 86_400_000) last[1] = day;
    else found.push([day, day]);
  }
  return found;
}
