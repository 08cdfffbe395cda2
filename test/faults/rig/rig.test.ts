import assert from "node:assert/strict";
import { FaultDecider } from "./callFaults";
import { keepMessages } from "./publishRequest";

describe("Faults of calls", () => {
  it("a share of the calls that may fail has faults, each kind in turn", () => {
    const decider = new FaultDecider();
    decider.set({ share: 0.25, kinds: ["error", "answer lost"], only: /insertAll/ });
    const decided = Array.from({ length: 16 }, (_, i) => decider.decide(i % 2 ? "/insertAll" : "/queries"));
    assert.deepEqual(
      decided.filter((fault) => fault !== undefined),
      ["error", "answer lost"],
    );
    assert.ok(decided.every((fault, i) => fault === undefined || i % 2 === 1));
    decider.set();
    assert.equal(decider.decide("/insertAll"), undefined);
    assert.deepEqual(decider.counts, { error: 1, "no answer": 0, "answer lost": 1 });
  });

  it("messages are removed from a Publish call, and the rest is unchanged", () => {
    const field = (number: number, text: string): Buffer =>
      Buffer.concat([Buffer.from([(number << 3) | 2, text.length]), Buffer.from(text)]);
    const call = (...fields: Buffer[]): Buffer => {
      const message = Buffer.concat(fields);
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(message.length, 1);
      return Buffer.concat([prefix, message]);
    };
    const topic = field(1, "projects/p/topics/t");
    const [a, b, c] = [field(2, "a"), field(2, "b"), field(2, "c")] as const;
    assert.deepEqual(
      keepMessages(call(topic, a, b, c), (index) => index !== 1),
      call(topic, a, c),
    );
  });
});
