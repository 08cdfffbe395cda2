import assert from "node:assert/strict";
import fc from "fast-check";
import { dayToDdMmYyyy, dayToIso, parseDay } from "@eventlogger/events/day";
import type { DayStats } from "../api/answers";
import { changeRatio, DailySeries, summarize } from "./dailySeries";

const FIRST = 20_000;
const TODAY = FIRST + 100;

/** Visits of persons by day, from which every number follows. */
type Visits = ReadonlyMap<number, ReadonlySet<number>>;

const activeIn = (visits: Visits, from: number, to: number): Set<number> =>
  new Set([...visits].filter(([day]) => day >= from && day <= to).flatMap(([, persons]) => [...persons]));

/** The rows that the service has: only for days on which a number changes. */
function rowsOf(visits: Visits): DayStats[] {
  const seen = new Set<number>();
  const rows: DayStats[] = [];
  let before = { weekly: 0, monthly: 0 };
  for (let day = FIRST - 40; day <= TODAY; day++) {
    const persons = visits.get(day) ?? new Set<number>();
    const added = [...persons].filter((person) => !seen.has(person));
    for (const person of added) seen.add(person);
    const weekly = activeIn(visits, day - 6, day).size;
    const monthly = activeIn(visits, day - 29, day).size;
    if (persons.size > 0 || weekly !== before.weekly || monthly !== before.monthly) {
      rows.push({
        date: day % 2 === 0 ? dayToIso(day) : dayToDdMmYyyy(day),
        active_user_count: persons.size,
        new_user_count: added.length,
        session_count: persons.size * 2,
        session_duration_ms: persons.size * 2 * 1500 * (day - FIRST + 50),
        average_session_duration_sec: Math.round(1.5 * (day - FIRST + 50)),
        weekly_active_user_count: weekly,
        monthly_active_user_count: monthly,
      });
    }
    before = { weekly, monthly };
  }
  return rows;
}

const visitsArbitrary: fc.Arbitrary<Visits> = fc
  .array(
    fc.tuple(
      fc.integer({ min: FIRST - 40, max: TODAY }),
      fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 1 }),
    ),
    {
      maxLength: 12,
    },
  )
  .map((days) => new Map(days.map(([day, persons]) => [day, new Set(persons)])));

describe("the daily numbers of the dashboard", () => {
  it("days without a row have zeros, and the weekly and monthly numbers of the days before", () => {
    fc.assert(
      fc.property(visitsArbitrary, (visits) => {
        const rows = rowsOf(visits);
        const range = { from: FIRST - 30, to: TODAY };
        // What the service answers: no row before the range.
        const answered = new DailySeries(
          rows.filter(({ date }) => (parseDay(date) ?? 0) >= range.from),
          range,
        );
        const all = new DailySeries(rows, { from: FIRST - 40, to: TODAY });
        for (const series of [answered, all]) {
          for (const numbers of series.in({ from: FIRST, to: TODAY })) {
            const { day } = numbers;
            assert.deepEqual(
              [numbers.active, numbers.weekly, numbers.monthly],
              [visits.get(day)?.size ?? 0, activeIn(visits, day - 6, day).size, activeIn(visits, day - 29, day).size],
              dayToIso(day),
            );
          }
        }
      }),
    );
  });

  const persons = (n: number): Set<number> => new Set(Array.from({ length: n }, (_, i) => i));
  const seriesOf = (counts: readonly number[], to = TODAY): DailySeries => {
    const visits = new Map(counts.map((n, i) => [to - counts.length + 1 + i, persons(n)] as const));
    return new DailySeries(rowsOf(visits), { from: FIRST - 40, to: TODAY });
  };

  it("an average and a change leave out today, here and in the period before", () => {
    // Three days before, then today with two complete days in front of it.
    const series = seriesOf([4, 6, 100, 8, 12, 1]);
    const period = { from: TODAY - 2, to: TODAY };
    const active = summarize("active", series, period, TODAY);
    assert.deepEqual(active, { value: 10, change: { now: 10, before: 5, days: 2 } });
    assert.equal(active.change && changeRatio(active.change), 1);
    const sessions = summarize("sessions", series, period, TODAY);
    assert.deepEqual(sessions, { value: 42, change: { now: 40, before: 20, days: 2 } });
  });

  it("the duration of a range is the sum of all durations per session, not the mean of the days", () => {
    const series = seriesOf([1, 0, 3], TODAY - 1);
    const seconds = (day: number): number => 1.5 * (day - FIRST + 50);
    const { value } = summarize("duration", series, { from: TODAY - 3, to: TODAY - 1 }, TODAY);
    assert.equal(value, (2 * seconds(TODAY - 3) + 6 * seconds(TODAY - 1)) / 8);
    assert.equal(summarize("duration", series, { from: TODAY - 2, to: TODAY - 2 }, TODAY).value, null);
  });

  it("today alone has its numbers so far and no change, and a day before the first event has none to compare with", () => {
    const series = seriesOf([7]);
    assert.deepEqual(summarize("active", series, { from: TODAY, to: TODAY }, TODAY), { value: 7, change: undefined });
    const { change } = summarize("sessions", seriesOf([7, 0]), { from: TODAY - 1, to: TODAY - 1 }, TODAY);
    assert.equal(change && changeRatio(change), undefined);
  });

  it("weekly and monthly numbers of a range are those of its last day, until today", () => {
    const series = seriesOf([5, 2, 3]);
    const { value, change } = summarize("weekly", series, { from: TODAY - 1, to: TODAY + 1 }, TODAY);
    assert.deepEqual([value, change?.now, change?.before], [5, 5, 0]);
  });
});
