import assert from "node:assert/strict";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { colours } from "@eventlogger/options/terminal";
import { eventJson, eventLine, invalidLine } from "./eventLine";

const pipe = { isTTY: false } as Parameters<typeof colours>[0];
const terminal = { isTTY: true } as Parameters<typeof colours>[0];

describe("the lines of eventlogger tail", () => {
  const at = Date.UTC(2026, 0, 31, 12);
  const bought = event({
    ...{ event_time: at, event_id: "e-1", event_name: "buy\u001b[2J", session_id: "s-1", user_id: "u-1" },
    ...{ anonymous_id: "a-1", is_bot: true, properties: { n: 1 } },
  });
  const decoded = { ok: true, event: bought, propertiesJson: '{"n":12345678901234567890}' } as const;

  it("show the time, the name, the ids and the properties, without control characters", () => {
    assert.equal(
      eventLine(decoded, colours(pipe, {})),
      '2026-01-31T12:00:00.000Z  buy\\u001b[2J  user=u-1  anonymous=a-1  session=s-1  bot  {"n":12345678901234567890}  e-1',
    );
  });

  it("are JSON with all fields of the event and all digits of its numbers", () => {
    const text = eventJson(decoded);
    assert.match(text, /"properties":\{"n":12345678901234567890\}\}$/);
    assert.deepEqual({ ...(JSON.parse(text) as object), properties: { n: 1 } }, bought);
    const bare = { ...decoded, event: { ...bought, properties: null }, propertiesJson: "null" };
    assert.deepEqual(JSON.parse(eventJson(bare)), bare.event);
  });

  it("have colours only on a terminal, and show why a message is not an event", () => {
    const painted = eventLine(decoded, colours(terminal, {}));
    assert.match(painted, /\u001b\[1m/);
    assert.equal(invalidLine("7", "is not JSON\n", colours(pipe, {})), "not an event  is not JSON\\u000a  message 7");
  });
});
