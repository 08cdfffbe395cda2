import "../sdk";
import assert from "node:assert/strict";
import fc from "fast-check";
import Long from "long";
import { Reader, Writer } from "protobufjs";
import { Context, type Coder } from "apache-beam/coders/coders";
import { FullWindowedValueCoder, GlobalWindowCoder, InstantCoder } from "apache-beam/coders/required_coders";
import { DoubleCoder, PaneInfoCoder, StrUtf8Coder, VarIntCoder } from "apache-beam/coders/standard_coders";
import { GlobalWindow, Timing } from "apache-beam/values";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import { withoutPatch, type Outcome } from "../testing/scenario";
import { decode, encode, roundTrip } from "../testing/codec";
import { doubles, scenarios, varInts } from "./coders.scenario";

describe("Patch of the coders", () => {
  let without: Record<string, Outcome>;
  before(async () => {
    without = await withoutPatch("coders", require.resolve("./coders.scenario"), Object.keys(scenarios));
  });

  function valueWithout(name: keyof typeof scenarios): unknown {
    const outcome = without[name];
    assert(outcome?.ended === "value", JSON.stringify(outcome));
    return outcome.value;
  }

  it("the patched VarIntCoder keeps integers beyond 32 bits", async () => {
    assert.deepEqual(await scenarios.varInts(), varInts);
    const broken = valueWithout("varInts") as number[];
    assert.deepEqual(broken.slice(0, 2), [0, -1]);
    for (const [i, value] of broken.slice(2).entries()) assert.notEqual(value, varInts[i + 2]);
    fc.assert(fc.property(fc.array(fc.maxSafeInteger()), (n) => assert.deepEqual(roundTrip(new VarIntCoder(), n), n)));
  });

  it("the patched VarIntCoder writes integers as the Beam model defines", () => {
    const bytes = (n: number): string => Buffer.from(encode(new VarIntCoder(), [n])).toString("hex");
    assert.equal(bytes(0), "00");
    assert.equal(bytes(1_000), "e807");
    assert.equal(bytes(-1), "ffffffffffffffffff01");
    assert.equal(bytes(2 ** 32), "8080808010");
  });

  it("the patched VarIntCoder keeps integers beyond 2^53 as bigint, and rejects what it cannot keep", () => {
    const wide = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    const narrow = (n: bigint): number | bigint => (Number.isSafeInteger(Number(n)) ? Number(n) : n);
    fc.assert(
      fc.property(fc.array(wide), (values) => {
        assert.deepEqual(roundTrip<unknown>(new VarIntCoder(), values), values.map(narrow));
      }),
    );
    assert.deepEqual(roundTrip<unknown>(new VarIntCoder(), [2n ** 63n - 1n, 7n]), [2n ** 63n - 1n, 7]);
    for (const wrong of [0.5, Number.NaN, Infinity, 2 ** 53, 2n ** 63n, "1"]) {
      assert.throws(() => encode<unknown>(new VarIntCoder(), [wrong]), /not a 64-bit integer/);
    }
  });

  it("the patched coder of times writes 64 bits with the sign inverted, highest byte first, and reads them again", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (ms) => {
        const time = Long.fromString(String(ms));
        const encoded = encode<unknown>(InstantCoder.INSTANCE, [time]);
        assert.equal(Buffer.from(encoded).readBigUInt64BE() - 2n ** 63n, ms);
        const decoded = decode(InstantCoder.INSTANCE as unknown as Coder<Long>, encoded);
        assert.equal(String(decoded), String(ms));
      }),
    );
  });

  it("the patched coder of texts writes UTF-8 after its length, and reads every text again", () => {
    const texts = fc.oneof(fc.string(), fc.string({ unit: "grapheme", maxLength: 200 }), fc.string({ unit: "binary" }));
    const coder = new StrUtf8Coder();
    fc.assert(
      fc.property(fc.array(texts), (list) => {
        const wellFormed = list
          .map((text) => Buffer.from(text).toString())
          .filter((text) => !text.startsWith("\ufeff"));
        assert.deepEqual(roundTrip(coder, wellFormed), wellFormed);
        const expected = new Writer();
        for (const text of wellFormed) expected.bytes(Buffer.from(text));
        assert.deepEqual(Buffer.from(encode(coder, wellFormed)), Buffer.from(expected.finish()));
      }),
    );
  });

  it("the patched coder of windowed values reads elements of any window and pane", () => {
    const pane = fc.record({
      ...{ isFirst: fc.boolean(), isLast: fc.boolean(), timing: fc.constantFrom(...[0, 1, 2, 3]) },
      ...{ index: fc.nat(300), onTimeIndex: fc.constant(0) },
    });
    const timestamp = fc.maxSafeInteger().map((ms) => Long.fromNumber(ms));
    const usual = PaneInfoCoder.INSTANCE.decode(new Reader(Uint8Array.of(0x0f)), Context.needsDelimiters);
    const global = new FullWindowedValueCoder(new StrUtf8Coder(), GlobalWindowCoder.INSTANCE);
    const element = fc.record({ value: fc.string(), timestamp, pane: fc.oneof(fc.constant(usual), pane) });
    fc.assert(
      fc.property(fc.array(element), fc.integer({ min: 1, max: 2 }), (list, windows) => {
        const values = list.map((one) => ({
          ...one,
          windows: Array.from({ length: windows }, () => new GlobalWindow()),
          // A pane has a second index only when it has more than one.
          pane: one.pane.index === 0 ? usual : { ...one.pane, isFirst: false, timing: Timing.EARLY, onTimeIndex: -1 },
        }));
        assert.deepEqual(roundTrip<unknown>(global as unknown as Coder<unknown>, values), values);
      }),
    );
  });

  it("the patched GeneralObjectCoder keeps numbers that are not safe integers", async () => {
    assert.deepEqual(await scenarios.numbers(), doubles);
    for (const [i, value] of (valueWithout("numbers") as number[]).entries()) {
      assert(!Object.is(value, doubles[i]), `${doubles[i]} is right without the patch`);
    }
    fc.assert(fc.property(fc.double(), (n) => assert.deepEqual(roundTrip(new GeneralObjectCoder<number>(), [n]), [n])));
    fc.assert(fc.property(fc.array(fc.double()), (n) => assert.deepEqual(roundTrip(new DoubleCoder(), n), n)));
  });

  it("the patched GeneralObjectCoder keeps numbers in arrays", async () => {
    assert.deepEqual(await scenarios.numbersInArrays(), [2 ** 31]);
    assert.notDeepEqual(valueWithout("numbersInArrays"), [2 ** 31]);
  });

  it("the patched DoubleCoder decodes doubles without copying the message for each", async () => {
    const [fast, slow] = [await scenarios.manyDoubles(), valueWithout("manyDoubles") as number];
    assert(slow > 5 * fast, `${fast} ms with the patch, ${slow} ms without it`);
  });
});
