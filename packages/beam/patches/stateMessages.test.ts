import assert from "node:assert/strict";
import fc from "fast-check";
import { Reader, Writer } from "protobufjs";
import { UserStateKey } from "../state/userStateKey";
import { StateBatchReader, StateBatchWriter, type StateAnswer } from "./stateMessages";

const bytes = fc.uint8Array({ maxLength: 300 });
const large = fc.nat(40_000).map((length) => new Uint8Array(length).fill(length));

describe("Messages with many state requests", () => {
  it("a message has all requests in order, and names bundles and states only where they change", () => {
    const spaces = ["sum", "seen"].map((userStateId) => ({
      ...{ transformId: "step", userStateId, window: Uint8Array.of(7) },
    }));
    const request = fc.record({
      bundle: fc.constantFrom("b1", "b2"),
      operation: fc.constantFrom("get" as const, "append" as const, "clear" as const),
      states: fc.constantFrom(...spaces),
      key: bytes,
      data: fc.oneof(bytes, large),
    });
    fc.assert(
      fc.property(fc.array(request), (requests) => {
        const writer = new StateBatchWriter();
        for (const { bundle, operation, states, key, data } of requests) {
          writer.add(bundle, operation, new UserStateKey(states, key), data);
        }
        const expected = new Writer();
        const numbers = new Map<string, number>();
        let last: string | undefined;
        for (const { bundle, operation, states, key, data } of requests) {
          if (bundle !== last) expected.uint32(0).string((last = bundle));
          if (!numbers.has(states.userStateId)) {
            numbers.set(states.userStateId, numbers.size);
            expected.uint32(1).string("step").string(states.userStateId).bytes(states.window);
          }
          expected.uint32({ get: 2, append: 3, clear: 4 }[operation]);
          expected.uint32(numbers.get(states.userStateId) ?? -1).bytes(key);
          if (operation !== "clear") expected.bytes(data);
        }
        assert.deepEqual(Buffer.from(writer.finish()), Buffer.from(expected.finish()));
      }),
    );
  });

  it("the answers are read in the order of the requests, and errors among them", () => {
    const answer: fc.Arbitrary<StateAnswer> = fc.oneof(
      fc.constant({}),
      fc.oneof(bytes, large).map((data) => ({ data })),
      fc.record({ data: bytes, token: bytes }),
      fc.string({ unit: "grapheme" }).map((error) => ({ error })),
    );
    fc.assert(
      fc.property(fc.array(answer), (answers) => {
        const writer = new Writer();
        for (const { data, token, error } of answers) {
          if (error !== undefined) writer.uint32(3).string(error);
          else if (token)
            writer
              .uint32(2)
              .bytes(data ?? new Uint8Array())
              .bytes(token);
          else if (data) writer.uint32(1).bytes(data);
          else writer.uint32(0);
        }
        const reader = new StateBatchReader(writer.finish());
        const plain = (all: StateAnswer[]): unknown =>
          all.map(({ data, token, error }) => [data && [...data], token && [...token], error]);
        assert.deepEqual(plain(answers.map(() => reader.next())), plain(answers));
        assert.throws(() => reader.next(), /incomplete/);
      }),
    );
  });

  it("an answer that ends too early or has an unknown kind is an error", () => {
    for (const damaged of [[1], [1, 5, 0], [2, 0], [9], [1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]]) {
      assert.throws(() => new StateBatchReader(Uint8Array.from(damaged)).next(), /incomplete|invalid/, String(damaged));
    }
  });

  it("the bytes of a request are those of Protocol Buffers, which GrpcStateService reads", () => {
    const writer = new StateBatchWriter();
    const states = { transformId: "t", userStateId: "s", window: new Uint8Array() };
    writer.add("bundle", "get", new UserStateKey(states, new Uint8Array(200)), new Uint8Array());
    const reader = new Reader(writer.finish());
    assert.deepEqual([reader.uint32(), reader.string()], [0, "bundle"]);
    assert.deepEqual([reader.uint32(), reader.string(), reader.string(), reader.bytes().length], [1, "t", "s", 0]);
    assert.deepEqual([reader.uint32(), reader.uint32(), reader.bytes().length, reader.bytes().length], [2, 0, 200, 0]);
    assert.equal(reader.pos, reader.len);
  });
});
