import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { ProcessContext } from "@eventlogger/beam";
import type { PubSubMessage } from "@eventlogger/pipeline/io/pubsub/message";
import { totalsOfKnownUsers, totalsOfReturningUsers, type GrowthTraffic } from "../growth/traffic";
import { expectedTotals } from "../traffic/expectedTotals";
import { syntheticEvents } from "@eventlogger/traffic/load/syntheticMessages";
import { BenchSource, lastMarks } from "./io";

/** The events of messages, as far as totals need them. */
function eventsOf(messages: readonly PubSubMessage[]) {
  return messages.map(({ data }, index) => {
    const event = JSON.parse(Buffer.from(data).toString()) as {
      user_id: { string: string };
      session_id: string;
      event_time: number;
    };
    return {
      index,
      userId: event.user_id.string,
      sessionId: event.session_id,
      eventTime: Math.round(event.event_time * 1000),
    };
  });
}

describe("source of the benchmarks", () => {
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(path.join(tmpdir(), "bench-source-"))));
  afterEach(() => rmSync(directory, { recursive: true }));

  it("the source of bench:growth waits for each day, emits exactly its events, and marks the first and the last message", async () => {
    const file = (name: string): string => path.join(directory, name);
    const traffic: GrowthTraffic = { known: 10_000, events: 3000, openSessions: 20, nowMs: Date.UTC(2026, 0, 31) };
    const gates = [file("second"), file("third")] as const;
    const marks = { first: file("first-message"), last: file("last-message") };
    const source = new BenchSource({ kind: "growth", traffic, gates }, 60_000, marks);
    const emitted: PubSubMessage[] = [];
    const context: ProcessContext<PubSubMessage> = {
      emit: (message, timestampMs) => {
        assert.equal(message.publishTime, timestampMs + 20);
        emitted.push(message);
      },
      onFinalize: () => {},
      aborted: undefined,
    };
    let position = source.restrictions()[0] as { part: number; emitted: number; lastMs: number };
    const readOn = async (): Promise<number> => {
      const residual = await source.process(position, context);
      assert(residual.watermarkMs >= position.lastMs - 1000, "the watermark never decreases");
      position = residual.restriction;
      return residual.resumeDelayMs;
    };
    const days = totalsOfKnownUsers(traffic);

    assert(!existsSync(marks.first));
    assert((await readOn()) > 0, "it waits for the second day");
    assert(existsSync(marks.first));
    assert.deepEqual(expectedTotals(eventsOf(emitted)), days);
    for (const [day, gate] of [["warm-up", gates[0]] as const, ["measured", gates[1]] as const]) {
      await readOn();
      assert.deepEqual(expectedTotals(eventsOf(emitted)), days, "nothing is emitted before the gate opens");
      assert(!existsSync(marks.last));
      writeFileSync(gate, "");
      assert((await readOn()) > 0);
      days.push(...totalsOfReturningUsers(traffic, day));
      assert.deepEqual(expectedTotals(eventsOf(emitted)), days);
    }
    assert(existsSync(marks.last));
    assert.equal(position.emitted, emitted.length);
    assert.equal(new Set(emitted.map(({ messageId }) => messageId)).size, emitted.length);
  });

  it("the readers of a source with several parts emit every event once, and each marks its last message", async () => {
    const traffic = { count: 1000, activeUsers: 50, eventsPerSession: 5, startMs: Date.UTC(2026, 0, 31), stepMs: 10 };
    const marks = { first: path.join(directory, "first"), last: path.join(directory, "last") };
    const origin = { kind: "generated", traffic, parts: 3 } as const;
    const source = new BenchSource(origin, 60_000, marks);
    const emitted: PubSubMessage[] = [];
    const context: ProcessContext<PubSubMessage> = {
      emit: (message) => void emitted.push(message),
      onFinalize: () => {},
      aborted: undefined,
    };
    const parts = source.restrictions();
    assert.equal(parts.length, 3);
    for (const part of parts) {
      assert(!lastMarks(marks, origin).every((file) => existsSync(file)));
      const before = emitted.length;
      await source.process(part, context);
      assert(Math.abs(emitted.length - before - 1000 / 3) <= 1);
    }
    assert(lastMarks(marks, origin).every((file) => existsSync(file)));
    const inOrder = eventsOf(emitted).sort((a, b) => a.eventTime - b.eventTime);
    assert.deepEqual(expectedTotals(inOrder), expectedTotals(syntheticEvents(traffic)));
    assert.equal(new Set(emitted.map(({ messageId }) => messageId)).size, 1000);
  });
});
