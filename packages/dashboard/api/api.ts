import type { BreakdownAnswer, DayStats, EventAnswer, HoursAnswer, RetentionAnswer } from "./answers";
import { dayToIso } from "@eventlogger/events/day";
import type { Days } from "../view/period";
import { ApiProblem, problemOf } from "./problem";

/** Time limit of a request, ms: longer than the replica waits for BigQuery by default. */
const TIMEOUT_MS = 20_000;
/** The longest range that `GET /event/` answers, days. */
const MAX_DAYS = 1000;

/** Where the read key is kept. */
export interface KeyStore {
  get(): string | undefined;
  set(key: string | undefined): void;
}

/** Reads numbers from the service that serves the page. Every method throws {@link ApiProblem}. */
export class Api {
  /** @param base URL of the folder of the routes @param keys where the read key is kept */
  constructor(
    private readonly base: URL,
    private readonly keys: KeyStore,
    private readonly send: typeof fetch = (input, init) => fetch(input, init),
  ) {}

  /** The daily numbers of a range of any length. All of them are of one generation. */
  async days({ from, to }: Days): Promise<EventAnswer> {
    const ranges: Days[] = [];
    for (let end = to; end >= from; end -= MAX_DAYS)
      ranges.unshift({ from: Math.max(from, end - MAX_DAYS + 1), to: end });
    const answers = await Promise.all(ranges.map((range) => this.get<EventAnswer>("event/", isoRange(range))));
    const last = answers[answers.length - 1];
    if (!last) throw new RangeError(`${from} is after ${to}`);
    if (answers.some(({ generation }) => generation !== last.generation)) {
      throw new ApiProblem("busy", "The service is switching to another generation of the numbers", 1000);
    }
    const daily_stats: DayStats[] = answers.flatMap((answer) => answer.daily_stats);
    return { ...last, daily_stats };
  }

  retention(range: Days): Promise<RetentionAnswer> {
    return this.get("retention/", isoRange(range));
  }

  breakdown(dimension: string, range: Days, limit: number): Promise<BreakdownAnswer> {
    return this.get("breakdowns/", { dimension, ...isoRange(range), limit: String(limit) });
  }

  hours(day: number): Promise<HoursAnswer> {
    return this.get("hours/", { date: dayToIso(day) });
  }

  private async get<Answer>(path: string, parameters: Readonly<Record<string, string>>): Promise<Answer> {
    const url = new URL(path, this.base);
    url.search = new URLSearchParams(parameters).toString();
    const key = this.keys.get();
    const aborter = new AbortController();
    const timer = setTimeout(() => aborter.abort(), TIMEOUT_MS);
    try {
      const response = await this.send(url, {
        headers: { Accept: "application/json", ...(key === undefined ? {} : { "X-Read-Key": key }) },
        credentials: "same-origin",
        signal: aborter.signal,
      });
      if (!response.ok) throw await problemOf(response, `/${path}`);
      const type = response.headers.get("Content-Type") ?? "nothing";
      if (!type.startsWith("application/json")) {
        throw new ApiProblem(
          "unreadable",
          `/${path} answered with ${type} and not with JSON: another service answers there`,
        );
      }
      return (await response.json()) as Answer;
    } catch (error) {
      if (error instanceof ApiProblem) throw error;
      throw new ApiProblem(
        "network",
        aborter.signal.aborted
          ? `The service did not answer within ${TIMEOUT_MS / 1000} seconds`
          : "The service cannot be reached",
      );
    } finally {
      clearTimeout(timer);
    }
  }
}

function isoRange({ from, to }: Days): { readonly from: string; readonly to: string } {
  return { from: dayToIso(from), to: dayToIso(to) };
}
