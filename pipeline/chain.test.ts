import assert from "node:assert/strict";
import fc from "fast-check";
import type { KV } from "apache-beam/values";
import type { BundleDoFn } from "@eventlogger/beam";
import { DAY_MS } from "@eventlogger/events/day";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { bruteForceRollups } from "@eventlogger/traffic/bruteForce";
import { averageSessionDurationMin, averageSessionDurationSec } from "@eventlogger/events/totals/rounding";
import { addDeltas, type DayDelta } from "@eventlogger/events/totals/totals";
import { dayOfSessionBucket } from "./shards";
import type { ParsedEvent } from "./parse/parsedEvent";
import { addPartials, type SessionBucket } from "./sessions/sessionLedger";
import { FreshSessionIntervals, LateSessionPartials, PaneIntervals, PanePartials } from "./sessions/sessionPartials";
import { SumDeltas } from "./totals/sumDeltas";
import { runBundle } from "./testing/runBundle";
import { CollectUserDays } from "./users/userDays";
import { addUserDays, type UserBucket } from "./users/userLedger";
import { decodeDelta, type SessionPartials, type UserDays } from "./encoding";

const GAP = 30 * 60_000;
const START = Date.UTC(2026, 0, 30, 22);

/** Times that touch, bridge and just miss each other, around two midnights. */
const times = fc.oneof(
  fc.integer({ min: 0, max: 12 }).map((n) => START + n * GAP),
  fc.integer({ min: 0, max: 12 }).map((n) => START + n * GAP - 1),
  fc.integer({ min: 0, max: 26 * 3_600_000 }).map((ms) => START + ms),
  fc.constant(Date.UTC(2020, 1, 29, 12)),
);

const events = fc
  .array(
    fc.record({
      time: times,
      session: fc.constantFrom("a", "b", "c|d"),
      user: fc.constantFrom(null, "u1", "u2", "u3"),
      late: fc.boolean(),
    }),
    { maxLength: 40 },
  )
  .map((rows) =>
    rows.map(({ time, session, user, late }, i): ParsedEvent => {
      const event: AnalyticsEvent = {
        type: "event",
        event_id: `e${i}`,
        session_id: session,
        event_name: "view",
        event_time: time,
        user_id: user,
        page: null,
        country: null,
        region: null,
        city: null,
        properties: null,
        received_at: time,
      };
      return { event, late };
    }),
  );

/** Cuts a list into bundles. */
function bundles<T>(items: readonly T[], sizes: readonly number[]): T[][] {
  const out: T[][] = [];
  for (let i = 0, k = 0; i < items.length; k++) {
    const size = sizes[k % sizes.length] ?? 1;
    out.push(items.slice(i, i + size));
    i += size;
  }
  return out;
}

async function throughBundles<I, O>(doFn: BundleDoFn<I, O>, input: I[][]): Promise<O[]> {
  const output: O[] = [];
  for (const bundle of input) output.push(...(await runBundle(doFn, bundle)));
  return output;
}

/** Panes as a runner with any idea of windows might make them: values of one key, grouped at random. */
function panes(elements: readonly KV<string, string>[], sizes: readonly number[]): KV<string, Iterable<string>>[] {
  const byKey = new Map<string, string[]>();
  for (const { key, value } of elements) byKey.set(key, [...(byKey.get(key) ?? []), value]);
  return [...byKey].flatMap(([key, values]) => bundles(values, sizes).map((value) => ({ key, value })));
}

/** The whole chain of transforms between the source and the sinks, with state in plain maps. */
async function chain(input: readonly ParsedEvent[], sizes: readonly number[]): Promise<Map<number, DayDelta>> {
  const read = bundles(input, sizes);
  const fresh = await throughBundles(new FreshSessionIntervals(GAP), read);
  const late = await throughBundles(new LateSessionPartials(GAP), read);
  const toIntervals = new PaneIntervals(GAP);
  const fired = panes(fresh, sizes).flatMap((pane) => [...toIntervals.process(pane)]);
  const partials = [...(await throughBundles(new PanePartials(GAP), bundles(fired, sizes))), ...late];

  const deltas: DayDelta[] = [];
  const sessions = new Map<string, SessionBucket>();
  for (const { key, value } of partials) {
    const bucket: SessionBucket = sessions.get(key) ?? new Map<string, never>();
    sessions.set(key, bucket);
    const change = addPartials(bucket, dayOfSessionBucket(key), JSON.parse(value) as SessionPartials, GAP);
    if (change?.delta) deltas.push(change.delta);
  }
  const users = new Map<string, UserBucket>();
  for (const { key, value } of await throughBundles(new CollectUserDays(), read)) {
    const bucket: UserBucket = users.get(key) ?? new Map<string, never>();
    users.set(key, bucket);
    deltas.push(...addUserDays(bucket, JSON.parse(value) as UserDays).deltas);
  }
  const totals = new Map<number, DayDelta>();
  for (const { key, value } of await throughBundles(new SumDeltas(), bundles(deltas, sizes))) {
    const delta = decodeDelta(Number(key), value);
    const known = totals.get(delta.day);
    totals.set(delta.day, known ? addDeltas(known, delta) : delta);
  }
  return totals;
}

describe("chain of transforms", function () {
  this.timeout(60_000);

  it("equals brute force, whatever the bundles, panes, order, duplication and lateness", async () => {
    await fc.assert(
      fc.asyncProperty(
        events.chain((list) =>
          fc.tuple(fc.constant(list), fc.shuffledSubarray([...list, ...list], { minLength: list.length })),
        ),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 }),
        async ([, sent], sizes) => {
          const totals = await chain(sent, sizes);
          const want = bruteForceRollups(sent.map(({ event }) => event));
          const got = [...totals.values()]
            .filter((t) => t.sessions > 0)
            .sort((a, b) => a.day - b.day)
            .map((t) => ({
              date: new Date(t.day * DAY_MS).toISOString().slice(0, 10).split("-").reverse().join("/"),
              average_session_duration_min: averageSessionDurationMin(t.durationMs, t.sessions),
              average_session_duration_sec: averageSessionDurationSec(t.durationMs, t.sessions),
              active_user_count: t.activeUsers,
              new_user_count: t.newUsers,
              session_count: t.sessions,
            }));
          assert.deepEqual(got, want.daily_stats);
          const users = [...totals.values()].reduce((sum, t) => sum + t.newUsers, 0);
          assert.equal(users, want.total_users);
        },
      ),
      { numRuns: 500 },
    );
  });
});
