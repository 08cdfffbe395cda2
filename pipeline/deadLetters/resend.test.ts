import assert from "node:assert/strict";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import type { DeadLetterRow } from "@eventlogger/gcp/bigquery/tables";
import { eventRow } from "../io/bigquery/eventRow";
import { MessageRefusedError, resend, type Outcome, type ResendTarget } from "./resend";
import { deadLetterId, type StoredDeadLetter } from "./storedDeadLetter";

const NOW = Date.UTC(2026, 0, 31, 12);

function stored(payload: string, source: string): StoredDeadLetter {
  const row: DeadLetterRow = {
    error_type: "row_refused: invalid",
    error_message: "no such field",
    payload,
    payload_encoding: "utf8",
    source,
    failed_at: new Date(NOW).toISOString(),
  };
  return { id: deadLetterId(row), ...row };
}
const refused = (event_id: string, city: string | null = null): StoredDeadLetter =>
  stored(JSON.stringify(eventRow(event({ event_id, city, event_time: NOW, received_at: NOW }))), "table events");
const garbage = (n: number): StoredDeadLetter => stored(`garbage ${n}`, `message ${n}`);

/** Resends to a target in memory, whose publish fails for some events. */
async function run(
  letters: readonly StoredDeadLetter[],
  {
    stored: ids = [],
    fail = () => undefined,
  }: { stored?: string[]; fail?: (eventId: string) => Error | undefined } = {},
): Promise<{ outcomes: Record<string, string[]>; published: string[]; queries: number; error: unknown }> {
  const published: string[] = [];
  const outcomes: Record<string, string[]> = { sent: [], stored: [], not_sent: [] };
  let queries = 0;
  const target: ResendTarget = {
    storedIds: async () => {
      queries++;
      return new Set(ids);
    },
    publish: async ({ event_id }) => {
      const error = fail(event_id);
      if (error) throw error;
      published.push(event_id);
    },
  };
  const onOutcome = (_: StoredDeadLetter, outcome: Outcome): void => {
    outcomes[outcome.kind]?.push(outcome.kind === "not_sent" ? outcome.reason : outcome.eventId);
  };
  async function* read(): AsyncGenerator<StoredDeadLetter> {
    yield* letters;
  }
  const error: unknown = await resend(read(), target, onOutcome).catch((reason: unknown) => reason);
  return { outcomes, published, queries, error };
}

describe("resend", () => {
  it("publishes each event that is not stored, and one of several dead letters of the same event", async () => {
    const letters = [refused("a"), refused("b"), refused("a", "Rome"), refused("c")];
    const { outcomes, published, error } = await run(letters, { stored: ["b"] });
    assert.equal(error, undefined);
    assert.deepEqual(published, ["a", "c"]);
    assert.deepEqual(outcomes, { sent: ["a", "c"], stored: ["b", "a"], not_sent: [] });
  });

  it("sends the rest when dead letters have no event, or Pub/Sub refuses some messages", async () => {
    const letters = [garbage(1), refused("a"), garbage(2), refused("bad"), refused("b")];
    const fail = (id: string): Error | undefined => (id === "bad" ? new MessageRefusedError("schema") : undefined);
    const { outcomes, published, error } = await run(letters, { fail });
    assert.equal(error, undefined);
    assert.deepEqual(published, ["a", "b"]);
    assert.equal(outcomes.not_sent?.length, 3);
    assert.equal(outcomes.not_sent?.[2], "Pub/Sub refused the message: schema");
  });

  it("handles any number of dead letters, with one query for many", async () => {
    const letters = Array.from({ length: 1201 }, (_, i) => refused(`e-${i}`));
    const { published, queries } = await run(letters);
    assert.equal(new Set(published).size, 1201);
    assert.equal(queries, 3);
  });

  it("stops when Pub/Sub does not answer, and reports what was sent before", async () => {
    const letters = Array.from({ length: 600 }, (_, i) => refused(`e-${i}`));
    const fail = (id: string): Error | undefined => (id === "e-1" ? new Error("unavailable") : undefined);
    const { outcomes, published, error } = await run(letters, { fail });
    assert.match(String(error), /unavailable/);
    assert.equal(published.length, 499);
    assert.deepEqual(outcomes.sent, published);
  });
});
