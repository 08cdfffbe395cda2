import assert from "node:assert/strict";
import fc from "fast-check";
import { ReplayEncoder } from "@eventlogger/events/replayMessage";
import { DAY_COUNTS, type DayVersion } from "@eventlogger/events/totals/totals";
import type { SessionWindows } from "../eventPipeline";
import { ToEventRows } from "../io/bigquery/toEventRows";
import type { ParsedEvent } from "../parse/parsedEvent";
import { ParseMessages } from "../parse/parseMessages";
import { Computations } from "../testing/computations";
import { parsedEvent } from "../testing/parsedEvents";

const GAP = 60_000;
const LATE_AFTER = 86_400_000;
const START = Date.UTC(2026, 0, 31, 23, 50);

/** Events around a midnight, at distances of about a gap. */
const events = fc
  .array(
    fc.record({
      ...{ at: fc.integer({ min: 0, max: 30 }), session: fc.nat(3), user: fc.nat(3) },
      ...{ device: fc.nat(2), isBot: fc.boolean() },
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map((list) =>
    list.map(({ at, session, user, device, isBot }, i) =>
      parsedEvent({
        event_id: `e${i}`,
        session_id: `s${session}`,
        event_time: START + at * 30_000,
        user_id: user > 0 ? `u${user}` : null,
        anonymous_id: device > 0 ? `a${device}` : null,
        is_bot: isBot,
      }),
    ),
  );

/** The events of a replay of events, as the pipeline parses them. */
function replayed(list: readonly ParsedEvent[], windows: SessionWindows): ParsedEvent[] {
  const encoder = new ReplayEncoder({ generation: 1, dataset: "d" }, 7);
  const messages = list.flatMap(({ event }) => encoder.add(event) ?? []);
  const rest = encoder.flush();
  const parser = new ParseMessages(windows === "beam" ? LATE_AFTER : undefined);
  return [...messages, ...(rest ? [rest] : [])].flatMap(({ data, attributes }) =>
    [...parser.process({ data, messageId: "m", publishTime: START, watermark: START, ...attributes })].map((output) =>
      "events" in output ? output.events : assert.fail(output.deadLetters.errorMessage),
    ),
  );
}

/** The totals of each day and the persons of each cohort and week, without the numbers of their versions. */
async function totals(input: readonly ParsedEvent[], sizes: number[], windows: SessionWindows) {
  const computations = new Computations(GAP, "00112233445566778899aabbccddeeff", windows);
  const persons = await computations.countPersons(input, sizes);
  const deltas = [...(await computations.countSessions(input, sizes)), ...persons.days];
  const newest = new Map<number, DayVersion>();
  for (const day of await computations.totalDays(deltas, sizes)) newest.set(day.day, day);
  const cohorts = new Map<string, number>();
  for (const { cohortWeek, weekOffset, persons: n } of await computations.totalCohorts(persons.weeks, sizes)) {
    cohorts.set(`${cohortWeek} ${weekOffset}`, n);
  }
  const isCounted = (counts: readonly number[]): boolean => counts.some((n) => n !== 0);
  return {
    days: [...newest.values()]
      .sort((a, b) => a.day - b.day)
      .map((day) => ({ day: day.day, counts: DAY_COUNTS.map((count) => day[count]) }))
      .filter(({ counts }) => isCounted(counts)),
    cohorts: [...cohorts].filter(([, n]) => n !== 0).sort(([a], [b]) => (a < b ? -1 : 1)),
  };
}

describe("Replayed events", () => {
  it("give the same numbers as live ones, alone, among live ones and repeated, in any order and bundles", async () => {
    await fc.assert(
      fc.asyncProperty(
        events,
        fc.infiniteStream(fc.boolean()),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
        fc.constantFrom<SessionWindows>("state", "beam"),
        async (list, coins, sizes, windows) => {
          const expected = await totals(list, [1000], windows);
          const again = replayed(list, windows);
          assert.deepEqual(await totals(again, sizes, windows), expected);
          // Some events are live before, between and after the replay, which runs twice.
          const live = list.filter(() => coins.next().value);
          const mixed = [...live, ...again, ...live, ...[...again].reverse(), ...live];
          assert.deepEqual(await totals(mixed, sizes, windows), expected);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("get no row and are not recorded as accepted", async () => {
    const list = [parsedEvent({ event_time: START }), parsedEvent({ event_time: START + 1 })];
    for (const windows of ["state", "beam"] as const) {
      const again = replayed(list, windows);
      assert.equal(again.length, 2);
      assert.deepEqual(
        again.flatMap((one) => [...new ToEventRows().process(one)]),
        [],
      );
      assert.deepEqual(await new Computations(GAP).recordAccepted(again), []);
    }
    assert.equal((await new Computations(GAP).recordAccepted(list)).length, 1, "live ones are recorded");
  });
});
