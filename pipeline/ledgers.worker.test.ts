import "@eventlogger/beam/sdk";
import assert from "node:assert/strict";
import { parDo, withName, type PCollection } from "apache-beam";
import { bundleParDo, pipe, stringCoder } from "@eventlogger/beam";
import * as fixtures from "@eventlogger/beam/testing/fixtures";
import { MiniRunner } from "@eventlogger/beam/testing/miniRunner";
import { dayOf } from "@eventlogger/events/day";
import { VarintReader } from "@eventlogger/events/varints";
import { recordAccepted } from "./accepted/recordAccepted";
import { countSessions } from "./sessions/countSessions";
import { PairTexts, TextEvents } from "./testing/textEvents";
import { countUsers } from "./users/countUsers";

const SECRET = "00112233445566778899aabbccddeeff";
const NOON = Date.UTC(2026, 0, 31, 12);
const TODAY = dayOf(NOON);
const MINUTE = 60_000;

/** The ledgers in a worker, with a runner that keeps their state. */
describe("ledgers in a worker", function () {
  this.timeout(20_000);
  let runner: MiniRunner;
  beforeEach(async () => {
    runner = await MiniRunner.start();
    // A runner describes its bundles anew for each attempt of a job.
    for (const attempt of [1, 2]) {
      await describeSteps(`users ${attempt}`, (events) =>
        pipe(events, countUsers({ shardHashSecret: SECRET, timeZone: "UTC", skipsCounted: true })),
      );
    }
    await describeSteps("sessions", (events) =>
      pipe(
        events,
        countSessions({ gapMs: 30 * MINUTE, shardHashSecret: SECRET, timeZone: "UTC", beamWindows: undefined }),
      ),
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
        bundleParDo("guard", new fixtures.ThrowAt(`${TODAY} [0,0,1,1]`), stringCoder),
      ),
    );
  }
  const toEvents = (texts: PCollection<string>) => pipe(texts, withName("events", parDo(new TextEvents())));

  const event = (user: string, minutes = 0): string => `${user} session ${NOON + minutes * MINUTE}`;
  const requests = (): number => runner.stateRequests.length;

  it("a user's second event of a day costs no state request, and the first of another day costs two", async () => {
    const token = { cacheToken: "attempt 1" };
    const first = await runner.run("users 1", [[event("u"), event("v"), event("u", 1)]], token);
    assert.deepEqual(first.output, [`${TODAY} [0,0,2,2]`]);
    assert.equal(requests(), 4, "two keys are read and written");
    for (let bundle = 0; bundle < 3; bundle++) {
      assert.deepEqual((await runner.run("users 1", [[event("v"), event("u", 5)]], token)).output, []);
    }
    assert.equal(requests(), 4);
    const tomorrow = await runner.run("users 1", [[event("u", 24 * 60), event("u")]], token);
    assert.deepEqual(tomorrow.output, [`${TODAY + 1} [0,0,1,0]`]);
    assert.equal(requests(), 6, "the worker does not keep users in its cache");
  });

  it("users of a bundle that failed are counted when the runner processes it again", async () => {
    const token = { cacheToken: "attempt 1" };
    await runner.run("users 1", [[event("u"), event("v")]], token);
    const { stored } = runner;
    const before = new Map(stored);
    const failed = await runner.run("users 1", [[event("w")]], token);
    assert.match(failed.response.error, /cannot process/);
    // The runner discards what the bundle wrote.
    stored.clear();
    for (const [key, value] of before) stored.set(key, value);
    const again = await runner.run("users 1", [[event("w"), event("x"), event("u")]], token);
    assert.deepEqual(again.output, [`${TODAY} [0,0,2,2]`]);
  });

  it("after a restore from an earlier checkpoint, users are counted again by a worker process that lives on", async () => {
    for (let bundle = 0; bundle < 2; bundle++) {
      await runner.run("users 1", [[event("u"), event("v")]], { cacheToken: "attempt 1" });
    }
    runner.stored.clear(); // the checkpoint contains no user
    const { output } = await runner.run("users 2", [[event("u"), event("v")]], { cacheToken: "attempt 2" });
    assert.deepEqual(output, [`${TODAY} [0,0,2,2]`]);
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
    await describeSteps("users in a zone", (events) =>
      pipe(events, countUsers({ shardHashSecret: SECRET, timeZone, skipsCounted: true })),
    );
    await describeSteps("sessions in a zone", (events) =>
      pipe(events, countSessions({ gapMs: 30 * MINUTE, shardHashSecret: SECRET, timeZone, beamWindows: undefined })),
    );
    // 23:55 and 00:05 in Kolkata: 18:25 and 18:35 UTC of one day.
    const overMidnight = ["u", "v"].flatMap((user) => [event(user, 6 * 60 + 25), event(user, 6 * 60 + 35)]);
    const users = await runner.run("users in a zone", [overMidnight]);
    assert.deepEqual(users.output.sort(), [`${TODAY} [0,0,2,2]`, `${TODAY + 1} [0,0,2,0]`]);
    const sessions = await runner.run("sessions in a zone", [overMidnight]);
    assert.deepEqual(sessions.output.sort(), [`${TODAY} [1,0,0,0]`, `${TODAY + 1} [1,0,0,0]`]);
  });

  it("a session that grows costs one state request per bundle", async () => {
    const token = { cacheToken: "attempt 1" };
    assert.deepEqual((await runner.run("sessions", [[event("u"), event("u", 10)]], token)).output, [
      `${TODAY} [1,600000,0,0]`,
    ]);
    assert.equal(requests(), 2);
    assert.deepEqual((await runner.run("sessions", [[event("u", 5), event("u", 15)]], token)).output, [
      `${TODAY} [0,300000,0,0]`,
    ]);
    assert.equal(requests(), 3);
    assert.deepEqual((await runner.run("sessions", [[event("u", 7)]], token)).output, []);
    assert.equal(requests(), 3, "an event inside the session changes nothing");
  });
});
