import "../sdk";
import assert from "node:assert/strict";
import { RowCoder } from "apache-beam/coders/row_coder";
import { AtomicType } from "apache-beam/proto/schema";
import { withoutPatch, type Outcome } from "../testing/scenario";
import { decode, encode } from "../testing/codec";
import { examples, manyFields, scenarios, schemaOf, type Example } from "./rowCoder.scenario";

describe("Patch of the row coder", function () {
  this.timeout(20_000);
  let without: Record<string, Outcome>;
  before(async () => {
    without = await withoutPatch("rowCoder", require.resolve("./rowCoder.scenario"), Object.keys(scenarios));
  });

  async function assertPatched(name: keyof typeof scenarios, example: Example): Promise<Outcome> {
    assert.deepEqual(await scenarios[name](), example.rows);
    const broken = without[name];
    assert(broken);
    if (broken.ended === "value") assert.notDeepEqual(broken.value, example.rows, `${name} is right without the patch`);
    return broken;
  }

  it("the patched RowCoder writes doubles, also beside arrays", async () => {
    const broken = await assertPatched("doublesAndArrays", examples.doublesAndArrays);
    assert.match(JSON.stringify(broken), /not currently supported by RowCoder: 6/);
  });

  it("the patched RowCoder reads nulls as null", async () => {
    const broken = await assertPatched("nulls", examples.nulls);
    assert(broken.ended === "value");
    const [[bytes, row] = []] = broken.value as Example["rows"];
    assert.equal(bytes, examples.nulls.rows[0]?.[0]);
    assert.deepEqual(row, { str: undefined, f_bool: undefined, f_bytes: undefined });
  });

  it("the patched RowCoder uses encoding positions", () => assertPatched("positions", examples.positions));
  it("the patched RowCoder sorts encoding positions as numbers", () => assertPatched("manyFields", manyFields));
  it("the patched RowCoder writes maps", () => assertPatched("maps", examples.maps));
  it("the patched RowCoder writes numbers of every width as Java does", () =>
    assertPatched("numbers", examples.numbers));

  it("the patched RowCoder keeps a byte order mark", async () => {
    assert.deepEqual(await scenarios.byteOrderMark(), { text: "\ufeffa" });
    assert.deepEqual(without["byteOrderMark"], { ended: "value", value: { text: "a" } });
  });

  it("the patched RowCoder reads rows of a schema with fewer or more fields at its end", () => {
    const type = { nullable: true, typeInfo: { oneofKind: "atomicType", atomicType: AtomicType.STRING } } as const;
    const two = new RowCoder(schemaOf({ a: type, b: type }));
    const three = new RowCoder(schemaOf({ a: type, b: type, c: type }));
    assert.deepEqual(decode(three, encode(two, [{ a: "1", b: null }])), { a: "1", b: null, c: null });
    assert.deepEqual(decode(two, encode(three, [{ a: "1", b: null, c: "3" }])), { a: "1", b: null });
  });

  it("the patched RowCoder names a missing required field and a number out of range", () => {
    const required = (atomicType: AtomicType) =>
      ({ nullable: false, typeInfo: { oneofKind: "atomicType", atomicType } }) as const;
    const coder = new RowCoder(schemaOf({ a: required(AtomicType.STRING), b: required(AtomicType.INT32) }));
    assert.throws(() => encode(coder, [{ b: 1 }]), /field a is required, but the row has no value/);
    assert.throws(() => encode(coder, [{ a: "", b: 2 ** 31 }]), /not an integer of 32 bits: 2147483648/);
  });
});
