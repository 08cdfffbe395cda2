import { dayDelta, type DayDelta } from "@eventlogger/events/totals/totals";
import { dayFromIso } from "@eventlogger/events/day";
import { localDates } from "@eventlogger/traffic/localDates";
import type { SyntheticEvent } from "@eventlogger/traffic/load/syntheticMessages";

/** The session gap of all benchmarks, ms. */
export const SESSION_GAP_MS = 30 * 60_000;

/** One day while its events are counted. */
class Day {
  /** Time of the last event of each session id, epoch ms. */
  private readonly lastMs = new Map<string, number>();
  readonly users = new Set<string>();
  private durationMs = 0;
  private sessions = 0;

  add({ sessionId, userId, eventTime }: SyntheticEvent): void {
    this.users.add(userId);
    const last = this.lastMs.get(sessionId);
    this.lastMs.set(sessionId, eventTime);
    if (last !== undefined && eventTime < last) throw new Error("The events are not sorted by time");
    if (last !== undefined && eventTime - last < SESSION_GAP_MS) this.durationMs += eventTime - last;
    else this.sessions++;
  }

  totals(day: number, newUsers: number): DayDelta {
    const { sessions, durationMs } = this;
    return dayDelta(day, { sessions, durationMs, activeUsers: this.users.size, newUsers });
  }
}

/**
 * The totals of each day straight from their definitions, in ascending order. Shares no code with the pipeline: it counts
 * events that are sorted by time, and takes the local date of each from Intl.
 * @param timeZone IANA name of the zone of the days
 * @throws Error when the events are not sorted by time
 */
export function expectedTotals(events: Iterable<SyntheticEvent>, timeZone = "UTC"): DayDelta[] {
  const dateOf = localDates(timeZone);
  const days = new Map<number, Day>();
  const firstDays = new Map<string, number>();
  for (const event of events) {
    const number = dayFromIso(dateOf(event.eventTime)) as number;
    let day = days.get(number);
    if (!day) days.set(number, (day = new Day()));
    day.add(event);
    if (!firstDays.has(event.userId)) firstDays.set(event.userId, number);
  }
  const newUsers = new Map<number, number>();
  for (const day of firstDays.values()) newUsers.set(day, (newUsers.get(day) ?? 0) + 1);
  return [...days].sort(([a], [b]) => a - b).map(([number, day]) => day.totals(number, newUsers.get(number) ?? 0));
}

/** The totals as one line, to compare and to print. Days in ascending order. */
export function totalsText(totals: readonly DayDelta[]): string {
  return totals
    .map(({ day, sessions, durationMs, activeUsers, newUsers }) =>
      [`day ${day}`, `${sessions} sessions`, `${durationMs} ms`, `${activeUsers} users`, `${newUsers} new`].join(", "),
    )
    .join("; ");
}
