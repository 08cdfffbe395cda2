import "@eventlogger/beam/sdk";
import assert from "node:assert/strict";
import { flatten, P, parDo, withName, type PCollection } from "apache-beam";
import { bundleParDo, pipe, stringCoder } from "@eventlogger/beam";
import type { KV } from "apache-beam/values";
import * as fixtures from "@eventlogger/beam/testing/fixtures";
import { MiniRunner } from "@eventlogger/beam/testing/miniRunner";
import { dayOf } from "@eventlogger/events/day";
import { VarintReader } from "@eventlogger/events/varints";
import { recordAccepted } from "./accepted/recordAccepted";
import type { ParsedEvent } from "./parse/parsedEvent";
import { countSessions } from "./sessions/countSessions";
import { PairTexts, TextEvents } from "./testing/textEvents";
import { countUsers } from "./users/countUsers";

const SECRET = "00112233445566778899aabbccddeeff";
const NOON = Date.UTC(2026, 0, 31, 12);
const TODAY = dayOf(NOON);
const MINUTE = 60_000;
const DEFINITIONS = { shardHashSecret: SECRET, countBots: false };

/** The changes of the counts by persons: of days and of cohorts. */
function personDeltas(events: PCollection<ParsedEvent>, timeZone: string): PCollection<KV<string, string>> {
  const { days, weeks } = pipe(events, countUsers({ ...DEFINITIONS, timeZone, skipsCounted: true }));
  return P([days, weeks]).apply(withName("all", flatten<KV<string, string>>()));
}

/** The Monday of the week of the day. */
const MONDAY = TODAY - 5;

/** What the first day of some users changes, sorted. */
const newUsers = (n: number): string[] => [
  `${MONDAY} [0,${n}]`,
  `${TODAY} [0,0,${n},${n},0,${n},${n},0,0]`,
  `${TODAY + 7} [0,0,0,0,0,${-n},0,0,0]`,
  `${TODAY + 30} [0,0,0,0,0,0,${-n},0,0]`,
];

/** The ledgers in a worker, with a runner that keeps their state. */
describe("ledgers in a worker", () => {
  let runner: MiniRunner;
  beforeEach(async () => {
    runner = await MiniRunner.start();
    // A runner describes its bundles anew for each attempt of a job.
    for (const attempt of [1, 2]) {
      await describeSteps(`users ${attempt}`, (events) => personDeltas(events, "UTC"));
    }
    await describeSteps("sessions", (events) =>
      pipe(events, countSessions({ ...DEFINITIONS, timeZone: "UTC", gapMs: 30 * MINUTE, beamWindows: undefined })),
    );
  });
  afterEach(() => runner.close());

  function describeSteps(
    id: string,
    counts: (events: ReturnType<typeof toEvents>) => PCollection<{ key: string; value: string }>,
  ): Promise<void> {
    return runner.describe(id, (texts) =>
      pipe(
        counts(toEvents(texts)),
        withName("texts", parDo(new PairTexts())),
        // After all steps, so that a failure comes after the ledgers have worked.
        bundleParDo("guard", new fixtures.ThrowAt(newUsers(3)[1] ?? ""), stringCoder),
      ),
    );
  }
  const toEvents = (texts: PCollection<string>) => pipe(texts, withName("events", parDo(new TextEvents())));

  const event = (user: string, minutes = 0): string => `${user} session ${NOON + minutes * MINUTE}`;
  const requests = (): number => runner.stateRequests.length;

  it("a user's second event of a day costs no state request, and the first of another day costs two", async () => {
    const token = { cacheToken: "attempt 1" };
    const first = await runner.run("users 1", [[event("u"), event("v"), event("u", 1)]], token);
    assert.deepEqual(first.output.sort(), newUsers(2));
    assert.equal(requests(), 4, "two keys are read and written");
    for (let bundle = 0; bundle < 3; bundle++) {
      assert.deepEqual((await runner.run("users 1", [[event("v"), event("u", 5)]], token)).output, []);
    }
    assert.equal(requests(), 4);
    const tomorrow = await runner.run("users 1", [[event("u", 24 * 60), event("u")]], token);
    assert.deepEqual(tomorrow.output.sort(), [
      `${TODAY + 1} [0,0,1,0,0,0,0,0,0]`,
      `${TODAY + 7} [0,0,0,0,0,1,0,0,0]`,
      `${TODAY + 8} [0,0,0,0,0,-1,0,0,0]`,
      `${TODAY + 30} [0,0,0,0,0,0,1,0,0]`,
      `${TODAY + 31} [0,0,0,0,0,0,-1,0,0]`,
    ]);
    assert.equal(requests(), 6, "the worker does not keep users in its cache");
  });

  it("users of a bundle that failed are counted when the runner processes it again", async () => {
    const token = { cacheToken: "attempt 1" };
    await runner.run("users 1", [[event("u"), event("v")]], token);
    const { stored } = runner;
    const before = new Map(stored);
    const failed = await runner.run("users 1", [[event("w"), event("x"), event("y")]], token);
    assert.match(failed.response.error, /cannot process/);
    // The runner discards what the bundle wrote.
    stored.clear();
    for (const [key, value] of before) stored.set(key, value);
    const again = await runner.run("users 1", [[event("w"), event("x"), event("u")]], token);
    assert.deepEqual(again.output.sort(), newUsers(2));
  });

  it("after a restore from an earlier checkpoint, users are counted again by a worker process that lives on", async () => {
    for (let bundle = 0; bundle < 2; bundle++) {
      await runner.run("users 1", [[event("u"), event("v")]], { cacheToken: "attempt 1" });
    }
    runner.stored.clear(); // the checkpoint contains no user
    const { output } = await runner.run("users 2", [[event("u"), event("v")]], { cacheToken: "attempt 2" });
    assert.deepEqual(output.sort(), newUsers(2));
  });

  it("days of an anonymous id are its own until it is seen with a user, and then those of the user", async () => {
    const token = { cacheToken: "attempt 1" };
    const visit = (user: string, days: number): string => `${event(user, days * 24 * 60)} visitor`;
    const anonymous = await runner.run("users 1", [[visit("-", 0), visit("-", 0)]], token);
    const expected = newUsers(1);
    expected[1] = `${TODAY} [0,0,1,1,1,1,1,0,0]`;
    assert.deepEqual(anonymous.output.sort(), expected);
    assert.equal(requests(), 2, "one key is read and written");
    await runner.run("users 1", [[visit("-", 0)]], token);
    assert.equal(requests(), 2);
    // The user is active today by the event, and was yesterday: together the same person as before, who is no longer anonymous.
    const linked = await runner.run("users 1", [[visit("u", 1)]], token);
    const sums = new Map<string, number[]>();
    for (const text of linked.output as string[]) {
      const [day = "", list = ""] = text.split(" ");
      const counts = JSON.parse(list) as number[];
      if (Number(day) >= TODAY)
        sums.set(
          day,
          (sums.get(day) ?? counts.map(() => 0)).map((sum, i) => sum + (counts[i] ?? 0)),
        );
    }
    assert.deepEqual(Object.fromEntries([...sums].filter(([, counts]) => counts.some((n) => n !== 0))), {
      [TODAY]: [0, 0, 0, 0, -1, 0, 0, 0, 0],
      [TODAY + 1]: [0, 0, 1, 0, 0, 0, 0, 0, 0],
      [TODAY + 7]: [0, 0, 0, 0, 0, 1, 0, 0, 0],
      [TODAY + 8]: [0, 0, 0, 0, 0, -1, 0, 0, 0],
      [TODAY + 30]: [0, 0, 0, 0, 0, 0, 1, 0, 0],
      [TODAY + 31]: [0, 0, 0, 0, 0, 0, -1, 0, 0],
    });
  });

  it("an event with the event_id of an earlier one and other content is counted in a metric of the runner", async () => {
    // The event_id follows from session and time.
    await runner.describe("record", (texts) => pipe(toEvents(texts), recordAccepted()));
    const conflicts = async (...events: string[]): Promise<number> => {
      const { response } = await runner.run("record", [events]);
      assert(response.response.oneofKind === "processBundle", response.error);
      const { monitoringInfos } = response.response.processBundle;
      const info = monitoringInfos.find(({ labels }) => labels["NAME"] === "conflictingEvents");
      return info ? (new VarintReader(info.payload).unsigned() ?? NaN) : 0;
    };
    const at = (session: string, user: string): string => `${user} ${session} ${NOON}`;
    assert.equal(await conflicts(at("x", "u"), at("y", "u"), at("x", "u")), 0);
    assert.equal(await conflicts(at("x", "v"), at("y", "u"), at("x", "w")), 2);
  });

  it("users and sessions count on the days of the time zone in a worker, to which it comes with the pipeline", async () => {
    const timeZone = "Asia/Kolkata";
    await describeSteps("users in a zone", (events) => personDeltas(events, timeZone));
    await describeSteps("sessions in a zone", (events) =>
      pipe(events, countSessions({ ...DEFINITIONS, timeZone, gapMs: 30 * MINUTE, beamWindows: undefined })),
    );
    // 23:55 and 00:05 in Kolkata: 18:25 and 18:35 UTC of one day.
    const overMidnight = ["u", "v"].flatMap((user) => [event(user, 6 * 60 + 25), event(user, 6 * 60 + 35)]);
    const users = await runner.run("users in a zone", [overMidnight]);
    assert.deepEqual(users.output.sort(), [
      `${MONDAY} [0,2]`,
      `${TODAY} [0,0,2,2,0,2,2,0,0]`,
      `${TODAY + 1} [0,0,2,0,0,0,0,0,0]`,
      `${TODAY + 8} [0,0,0,0,0,-2,0,0,0]`,
      `${TODAY + 31} [0,0,0,0,0,0,-2,0,0]`,
    ]);
    const sessions = await runner.run("sessions in a zone", [overMidnight]);
    assert.deepEqual(sessions.output.sort(), [`${TODAY} [1,0,0,0,0,0,0,0,0]`, `${TODAY + 1} [1,0,0,0,0,0,0,0,0]`]);
  });

  it("a session that grows costs one state request per bundle", async () => {
    const token = { cacheToken: "attempt 1" };
    assert.deepEqual((await runner.run("sessions", [[event("u"), event("u", 10)]], token)).output, [
      `${TODAY} [1,600000,0,0,0,0,0,0,0]`,
    ]);
    assert.equal(requests(), 2);
    assert.deepEqual((await runner.run("sessions", [[event("u", 5), event("u", 15)]], token)).output, [
      `${TODAY} [0,300000,0,0,0,0,0,0,0]`,
    ]);
    assert.equal(requests(), 3);
    assert.deepEqual((await runner.run("sessions", [[event("u", 7)]], token)).output, []);
    assert.equal(requests(), 3, "an event inside the session changes nothing");
  });
});
