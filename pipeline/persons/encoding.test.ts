import assert from "node:assert/strict";
import fc from "fast-check";
import type { AnonymousRecord } from "@eventlogger/events/persons/anonymousId";
import { textOfHash } from "../shards";
import { daysOf } from "../testing/personDays";
import { EncodingError } from "../textEncoding";
import {
  decodeAnonymousDays,
  decodeAnonymousRecord,
  encodeAnonymousDays,
  encodeAnonymousRecord,
  type AnonymousDays,
} from "./encoding";

const user = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(textOfHash);
const anonymousDays = fc.record<AnonymousDays>(
  {
    user: fc.option(user, { nil: undefined }),
    days: fc.array(fc.integer({ min: -6000, max: 60_000 }), { minLength: 1, maxLength: 8 }).map(daysOf),
  },
  { noNullPrototype: true },
);

describe("encoding of anonymous ids", () => {
  it("days of anonymous ids are the same after encoding and decoding", () => {
    fc.assert(
      fc.property(fc.array(anonymousDays, { maxLength: 5 }), (list) => {
        const decoded = decodeAnonymousDays(encodeAnonymousDays(list));
        assert.deepEqual(
          decoded.map(({ user, days }) => ({ user, days })),
          list,
        );
      }),
    );
  });

  it("records of anonymous ids are the same after encoding and decoding", () => {
    const records = fc.oneof(
      anonymousDays.map((days): AnonymousRecord => ({ kind: "days", ...days })),
      fc.constant<AnonymousRecord>({ kind: "shared" }),
    );
    fc.assert(
      fc.property(records, (record) => assert.deepEqual(decodeAnonymousRecord(encodeAnonymousRecord(record)), record)),
    );
  });

  it("records of anonymous ids have the bytes that running jobs have stored", () => {
    const days = { human: 20_000, bots: undefined };
    // Kind, the user's 16 bytes, form 1 (one day of a person), 20,000 as a signed varint.
    assert.deepEqual([...encodeAnonymousRecord({ kind: "days", user: undefined, days })], [1, 1, 0xc0, 0xb8, 0x02]);
    const hash = Array.from({ length: 16 }, (_, i) => i);
    const linked: AnonymousRecord = { kind: "days", user: textOfHash(Uint8Array.from(hash)), days };
    assert.deepEqual([...encodeAnonymousRecord(linked)], [2, ...hash, 1, 0xc0, 0xb8, 0x02]);
    assert.deepEqual([...encodeAnonymousRecord({ kind: "shared" })], [3]);
  });

  it("damaged records of anonymous ids are an error that does not reveal them", () => {
    for (const bytes of [[], [0], [4], [1], [1, 9], [1, 1], [2, 1, 2, 3], [3, 0], [1, 1, 2, 3]]) {
      assert.throws(() => decodeAnonymousRecord(Uint8Array.from(bytes)), EncodingError, String(bytes));
    }
    for (const bytes of [[3], [1], [1, 1, 2, 3]]) {
      assert.throws(() => decodeAnonymousDays(Uint8Array.from(bytes)), EncodingError, String(bytes));
    }
  });
});
