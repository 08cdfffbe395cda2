import assert from "node:assert/strict";
import { ABSENT_FIELDS } from "@eventlogger/events/absentFields";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { decodeMessage, encodeMessage } from "@eventlogger/events/eventMessage";
import { createDeadLetter } from "@eventlogger/events/deadLetter";
import type { DeadLetterRow } from "@eventlogger/gcp/bigquery/tables";
import { deadLetterRow } from "../io/bigquery/sinkRows";
import { eventRow } from "../io/bigquery/eventRow";
import { parseMessage } from "../parse/parseMessages";
import { eventOfDeadLetter } from "./eventOfDeadLetter";

const NOW = Date.UTC(2026, 0, 31, 12);
const EVENT: AnalyticsEvent = {
  ...ABSENT_FIELDS,
  type: "event",
  event_id: "e-1",
  session_id: "s",
  event_name: "view",
  event_time: Date.UTC(2020, 1, 29, 23, 59, 59, 999),
  user_id: "user",
  page: '/a"b\\c\u0000é👩‍🚀',
  country: null,
  region: "",
  city: "null",
  properties: { a: [1, 0.1, null, { b: "null" }], big: 9007199254740992 },
  original_event_time: Date.UTC(1999, 11, 31),
  anonymous_id: "a-1",
  app: "shop",
  platform: "web",
  referrer: "search.example",
  browser: "Firefox",
  os: "Linux",
  is_bot: true,
  received_at: NOW,
};

/** The dead letter of a row that BigQuery refused. */
const refused = (row: object): DeadLetterRow =>
  deadLetterRow(
    createDeadLetter({
      errorType: "row_refused: invalid",
      errorMessage: "no such field",
      payload: Buffer.from(JSON.stringify(row)),
      source: "table events",
      failedAt: NOW + 1000,
    }),
  );

/** The dead letter that parsing makes of a message. */
function invalid(data: Uint8Array | string): DeadLetterRow {
  const result = parseMessage({ data: Buffer.from(data), messageId: "4711", publishTime: NOW }, 86_400_000, NOW);
  return result.kind === "deadLetter" ? deadLetterRow(result.deadLetter) : assert.fail("it is an event");
}

const reasonOf = (letter: DeadLetterRow): string => {
  const result = eventOfDeadLetter(letter);
  return result.ok ? assert.fail("it is an event") : result.reason;
};

describe("eventOfDeadLetter", () => {
  it("a refused row of events becomes the event that it came from, and the same row again", () => {
    for (const event of [EVENT, { ...EVENT, ...ABSENT_FIELDS }]) {
      const recovered = eventOfDeadLetter(refused(eventRow(event)));
      assert.deepEqual(recovered, { ok: true, event });
      const { data } = encodeMessage(event);
      const decoded = decodeMessage(data, { messageId: "other", publishTime: NOW });
      assert.deepEqual(decoded.ok && decoded.event, event);
    }
  });

  it("a refused row of an earlier release, without the columns of this one, becomes its event", () => {
    const { event_id, session_id, event_name, event_time, received_at } = EVENT;
    const event = {
      ...ABSENT_FIELDS,
      type: "event",
      event_id,
      session_id,
      event_name,
      event_time,
      received_at,
    } as const;
    const columns = Object.entries(eventRow(event)).filter(([name]) => !(name in ABSENT_FIELDS));
    assert.deepEqual(eventOfDeadLetter(refused(Object.fromEntries(columns))), { ok: true, event });
    assert.deepEqual(eventOfDeadLetter(refused({ ...eventRow(event), is_bot: null })), { ok: true, event });
  });

  it("a message that is an event now keeps its event_id, or its message id when it had none", () => {
    const now = { error_type: "invalid_event", error_message: "page is too long", source: "message 4711" };
    const letterOf = (payload: string): DeadLetterRow => ({ ...refused({}), ...now, payload });
    const withId = eventOfDeadLetter(letterOf(encodeMessage(EVENT).data.toString()));
    assert.deepEqual(withId, { ok: true, event: EVENT });
    const bare = { ...EVENT, event_id: undefined, received_at: undefined };
    const withoutId = eventOfDeadLetter(letterOf(JSON.stringify(bare)));
    assert.ok(withoutId.ok);
    assert.equal(withoutId.event.event_id, "4711");
    assert.equal(withoutId.event.received_at, NOW + 1000);
  });

  it("a message that is still not an event has its reason", () => {
    assert.match(reasonOf(invalid("no JSON")), /^The message is not JSON: /);
    assert.equal(reasonOf(invalid(Uint8Array.of(0xff, 0xfe))), "The message is not UTF-8 text");
    assert.match(reasonOf(invalid('{"type":"event"}')), /session_id is required/);
  });

  it("a payload that was cut off is not sent, although its beginning may be valid", () => {
    const data = encodeMessage(EVENT).data.toString();
    const long = invalid(`{"page":"${"x".repeat(1_100_000)}"}`);
    assert.equal(reasonOf({ ...long, payload: data }), "Only the first part of the payload was kept");
  });

  it("a row that is not one of events, or cannot be read, has its reason", () => {
    const row = eventRow(EVENT);
    assert.match(
      reasonOf({ ...refused({}), source: "table daily_rollup_versions" }),
      /not a message or the table events/,
    );
    assert.equal(reasonOf({ ...refused({}), payload: '{"event_id":' }), "The payload is not a row as JSON");
    assert.equal(reasonOf({ ...refused({}), payload: "[]" }), "The row has no event_id");
    assert.equal(reasonOf(refused({ ...row, event_id: undefined })), "The row has no event_id");
    assert.equal(reasonOf(refused({ ...row, received_at: "no time" })), 'received_at is not a time: "no time"');
    assert.match(reasonOf(refused({ ...row, event_time: "no time" })), /^event_time must be an ISO 8601/);
    assert.equal(reasonOf(refused({ ...row, properties: "{no json" })), "properties must be a JSON object");
    assert.match(reasonOf(refused({ ...row, session_id: 5 })), /^session_id must be a string/);
    assert.equal(reasonOf({ ...refused({}), payload: "null" }), "The row has no event_id");
  });
});
