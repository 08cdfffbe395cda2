import assert from "node:assert/strict";
import { colours } from "@eventlogger/options/terminal";
import { personOf } from "./person";
import { runAround } from "./session";
import { hasEventId } from "./storedRows";
import { MAX_LINKED_USERS, type Trace } from "./trace";
import { notesOn, searchFrom } from "./traceEvent";
import { traceLines } from "./traceLines";

describe("eventlogger trace, without services", () => {
  const users = (count: number): string[] => Array.from({ length: count }, (_, i) => `u-${i}`);

  it("counts an event for its user and all users that its anonymous id is linked to, else for the anonymous id", () => {
    const countsFor = (user_id: string | null, anonymous_id: string | null, linked: string[]): string[] =>
      personOf({ user_id, anonymous_id }, linked).countsFor.map(({ kind, id }) => `${kind} ${id}`);
    assert.deepEqual(countsFor("u-0", null, []), ["user u-0"]);
    assert.deepEqual(countsFor("u-0", "a-1", ["u-0", "u-1"]), ["user u-0", "user u-1"]);
    assert.deepEqual(countsFor(null, "a-1", ["u-1"]), ["user u-1"]);
    assert.deepEqual(countsFor(null, "a-1", []), ["anonymous a-1"]);
    assert.deepEqual(countsFor(null, null, []), []);
  });

  it("counts an anonymous id that more than 50 users share for nobody but the user of the event itself", () => {
    const shared = users(MAX_LINKED_USERS + 1);
    assert.equal(personOf({ user_id: null, anonymous_id: "a" }, users(MAX_LINKED_USERS)).countsFor.length, 50);
    assert.deepEqual(personOf({ user_id: null, anonymous_id: "a" }, shared).countsFor, []);
    const { isShared, countsFor } = personOf({ user_id: "u-7", anonymous_id: "a" }, shared);
    assert.deepEqual([isShared, countsFor], [true, [{ kind: "user", id: "u-7" }]]);
  });

  it("finds the bounds of the session around an event: the gap itself starts a new session", async () => {
    const moments = [0, 9, 18, 28, 37, 60].map((ms, i) => ({ ms, events: i + 1 }));
    assert.deepEqual(await runAround(moments, 9, 10), { first: 0, last: 18, events: 6 });
    assert.deepEqual(await runAround(moments, 28, 10), { first: 28, last: 37, events: 9 });
    assert.deepEqual(await runAround(moments, 60, 10), { first: 60, last: 60, events: 6 });
    assert.equal(await runAround(moments, 50, 10), undefined);
    assert.equal(await runAround([], 0, 10), undefined);
  });

  it("searches from the day before the time in a UUIDv7, and else the last 30 days", () => {
    const now = Date.UTC(2026, 5, 30, 12);
    const uuid = (ms: number, version = 7): string =>
      ms.toString(16).padStart(12, "0").replace(/(.{8})/, "$1-") + `-${version}abc-8abc-0123456789ab`; // prettier-ignore
    assert.equal(searchFrom(uuid(Date.UTC(2026, 0, 31, 1)), now), "2026-01-30");
    assert.equal(searchFrom(uuid(now + 2 * 86_400_000), now), "2026-05-31", "a time in the future");
    assert.equal(searchFrom(uuid(Date.UTC(2026, 0, 31), 4), now), "2026-05-31");
    assert.equal(searchFrom("order-42", now), "2026-05-31");
    assert.equal(searchFrom(uuid(0), now), "1970-01-01");
  });

  it("takes a dead letter for that of an event by its event_id, not by any text in it", () => {
    assert.ok(hasEventId('{"event_id":"e-1","page":"x"}', "e-1"));
    assert.ok(hasEventId('{"event_id":7}', "7"));
    assert.ok(!hasEventId('{"event_id":"e-11","page":"e-1"}', "e-1"));
    assert.ok(hasEventId('{"event_id":"e-1","page":', "e-1"), "truncated");
    assert.ok(!hasEventId('{"event_id":"e-11","page":', "e-1"), "truncated");
    assert.ok(!hasEventId("null", "e-1"));
  });

  it("says why an event is not counted, and prints text of events without control characters", () => {
    const absent: Omit<Trace, "notes"> = {
      ...{ eventId: "e\u001b[2J", state: "not_found", searchedSince: "2026-01-30" },
      topic: { name: "events", exists: false },
      subscription: { name: "events-pipeline", problems: ["Subscription events-pipeline does not exist"] },
      ...{ rows: [], deadLetters: [], day: null, session: null, person: null, acceptedRecord: null },
      generation: { generation: 1, timeZone: "UTC", sessionGapMs: 1, countsBots: false, isRunning: false },
    };
    const notes = notesOn(absent);
    assert.equal(notes.length, 4);
    assert.match(
      notes.join("\n"),
      /^Topic events does not exist.*\nSubscription .*\nNo run computes generation 1.*\nNo row received since 2026-01-30/,
    );
    const lines = traceLines({ ...absent, notes }, colours({ isTTY: false } as Parameters<typeof colours>[0], {}));
    assert.equal(lines[0], "event         e\\u001b[2J: not found");
    assert.match(notesOn({ ...absent, generation: null })[0] ?? "", /has no generation/);
    const bot = { is_bot: true } as Trace["rows"][number];
    const counted = personOf({ user_id: "u", anonymous_id: null }, []);
    const stored = {
      ...absent,
      state: "stored",
      topic: { name: "events", exists: true },
      rows: [bot],
      person: counted,
    } as const;
    assert.match(notesOn(stored).join(), /^The event is that of a bot, and generation 1 counts no bots$/);
    const nobody = { ...stored, rows: [], person: personOf({ user_id: null, anonymous_id: null }, []) };
    assert.match(notesOn(nobody).join(), /for no person/);
  });
});
