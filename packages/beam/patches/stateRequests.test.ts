import "../sdk";
import assert from "node:assert/strict";
import fc from "fast-check";
import { StateRequest, StateResponse } from "apache-beam/proto/beam_fn_api";
import { withoutPatch } from "../testing/scenario";
import { decodeStateResponse, StateRequestBatch } from "./stateRequests";
import { scenarios } from "./stateRequests.scenario";

const bytes = fc.uint8Array({ maxLength: 300 });
const text = fc.string({ unit: "grapheme", maxLength: 40 });
const stateKey: fc.Arbitrary<StateRequest["stateKey"]> = fc.option(
  fc
    .record({ transformId: text, userStateId: text, window: bytes, key: bytes }, { noNullPrototype: true })
    .map((key) => ({
      type: { oneofKind: "bagUserState" as const, bagUserState: key },
    })),
  { nil: undefined },
);
const request: fc.Arbitrary<StateRequest["request"]> = fc.oneof(
  bytes.map((continuationToken) => ({ oneofKind: "get" as const, get: { continuationToken } })),
  fc.uint8Array({ maxLength: 40_000 }).map((data) => ({ oneofKind: "append" as const, append: { data } })),
  fc.constant({ oneofKind: "clear" as const, clear: {} }),
);
const requests = fc.array(fc.record({ id: text, instructionId: text, stateKey, request }, { noNullPrototype: true }), {
  minLength: 1,
  maxLength: 20,
});

/** The messages in what grpc-js writes for one. */
function messagesIn(content: Buffer): Buffer[] {
  const written = Buffer.alloc(content.length + 5);
  written.writeUInt32BE(content.length, 1);
  content.copy(written, 5);
  const messages: Buffer[] = [];
  for (let at = 0; at < written.length;) {
    assert.equal(written[at], 0, "not compressed");
    const end = at + 5 + written.readUInt32BE(at + 1);
    messages.push(written.subarray(at + 5, end));
    at = end;
  }
  return messages;
}

describe("Patch of state requests", () => {
  it("a batch of state requests is the same bytes on the wire as the requests one by one", () => {
    fc.assert(
      fc.property(requests, (list) => {
        const batch = new StateRequestBatch();
        for (const one of list) batch.add(one);
        const messages = messagesIn(batch.toMessage());
        assert.deepEqual(
          messages.map((message) => message.toString("hex")),
          list.map((one) => Buffer.from(StateRequest.toBinary(one)).toString("hex")),
        );
      }),
      { numRuns: 300 },
    );
  });

  it("the response to a state request is decoded as by the generated code, whatever is in it", () => {
    const response = fc.oneof(
      fc
        .record({ continuationToken: bytes, data: fc.uint8Array({ maxLength: 40_000 }) })
        .map((get) => ({ oneofKind: "get" as const, get })),
      fc.uint8Array({ maxLength: 400 }).map((data) => ({
        oneofKind: "get" as const,
        get: { data, continuationToken: new Uint8Array() },
      })),
      fc.constant({ oneofKind: "append" as const, append: {} }),
      fc.constant({ oneofKind: "clear" as const, clear: {} }),
      fc.constant({ oneofKind: undefined }),
    );
    const id = fc.oneof(fc.stringMatching(/^[\w-]{0,200}$/), text);
    const error = fc.oneof({ weight: 3, arbitrary: fc.constant("") }, { weight: 1, arbitrary: text });
    fc.assert(
      fc.property(id, error, response, (responseId, message, answer) => {
        const encoded = StateResponse.toBinary({ id: responseId, error: message, response: answer });
        const decoded = decodeStateResponse(Buffer.from(encoded));
        assert.deepEqual(StateResponse.toJson(decoded), StateResponse.toJson(StateResponse.fromBinary(encoded)));
      }),
      { numRuns: 500 },
    );
    assert.throws(() => decodeStateResponse(Buffer.of(0x0a, 5, 1)));
  });

  it("state requests of a bundle reach the runner in batches, which without the patch the state stream cannot send", async () => {
    const all = { outputs: 1000, requests: 6000 };
    assert.deepEqual(await scenarios.manyKeys(), all);
    const without = await withoutPatch("stateRequests", require.resolve("./stateRequests.scenario"), ["manyKeys"]);
    assert.notDeepEqual(without["manyKeys"], { ended: "value", value: all });
  });
});
