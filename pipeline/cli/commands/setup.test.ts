import assert from "node:assert/strict";
import { parseRetention } from "@eventlogger/gcp/bigquery/setup/setUpRetention";
import { setupCommand } from "./setup";

const DAY_MS = 86_400_000;

describe("eventlogger setup, retention of events", () => {
  it("--event-retention accepts the word none, or a whole number of days from 7 to 10,000", () => {
    assert.deepEqual(["none", "7", "400", "10000"].map(parseRetention), ["none", 7, 400, 10_000]);
    for (const text of ["6", "10001", "", "30d", "7.5", "-7", "None"])
      assert.equal(parseRetention(text), undefined, text);
    const option = setupCommand.options.eventRetention;
    const check = (text: string): string | undefined => (option?.type === "string" ? option.check?.(text) : undefined);
    assert.equal(check("6"), "must be none, or a whole number of days from 7 to 10000");
    assert.equal(check("30"), undefined);
  });

  it("a retention that is shorter than that of messages is refused, because their rows would be deleted at once", () => {
    const problemsWith = (eventRetention: string, days: number): readonly string[] | undefined =>
      setupCommand.check?.({
        ...{ project: "my-project", topic: "events", subscription: "events-pipeline", mixed: false },
        ...{ eventRetention, messageRetention: days * DAY_MS },
      });
    assert.match(
      problemsWith("10", 31)?.join() ?? "",
      /^--event-retention \(EVENT_RETENTION\) 10 is shorter than --message-retention/,
    );
    assert.deepEqual(problemsWith("31", 31), []);
    assert.deepEqual(problemsWith("none", 31), []);
  });
});
