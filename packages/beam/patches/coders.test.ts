import "../sdk";
import assert from "node:assert/strict";
import fc from "fast-check";
import { DoubleCoder, VarIntCoder } from "apache-beam/coders/standard_coders";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import { withoutPatch, type Outcome } from "../testing/scenario";
import { encode, roundTrip } from "../testing/codec";
import { doubles, scenarios, varInts } from "./coders.scenario";

describe("Patch of the coders", function () {
  this.timeout(20_000);
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
