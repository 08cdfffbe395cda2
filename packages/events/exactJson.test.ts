import assert from "node:assert/strict";
import fc from "fast-check";
import { inexactNumber, isExactNumber, parseExactJson } from "./exactJson";

const EXACT = [
  ...["0", "-0", "0e999", "1", "-42", "0.1", "1e3", "1E+2", "1.50", "123456789012345", "9007199254740991"],
  ...[
    "9007199254740992",
    "-9007199254740992",
    "10000000000000000000000",
    "1e22",
    "1e300",
    "5e-324",
    "1.0000000000000000",
  ],
  // As programs with doubles print them, some with 17 digits.
  ...[
    "0.30000000000000004",
    "52.520006599999997",
    "0.10000000000000001",
    "1700000000.1234567",
    "1.7976931348623157e308",
  ],
];
const INEXACT = [
  ...["9007199254740993", "-9007199254740993", "1524831183200260097", "1152921504606846976", "9007199254740993.0"],
  ...["123456789012345678901234567890", "9007199254740993e0", "90071992547409930e-1", "1e400", "-1e400", "1e-400"],
  ...["3.14159265358979323846", "0.1234567890123456789", "12345678901234567890.5"],
];

describe("exactJson", () => {
  for (const number of EXACT) it(`a double holds ${number}`, () => assert.ok(isExactNumber(number)));
  for (const number of INEXACT) it(`a double does not hold ${number}`, () => assert.ok(!isExactNumber(number)));

  it("every number that JSON.stringify writes is exact", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (n) =>
        assert.ok(isExactNumber(JSON.stringify(n))),
      ),
      { numRuns: 5000 },
    );
  });

  it("parseExactJson marks inexact numbers at any depth, and only those", () => {
    for (const number of INEXACT) {
      const parsed = parseExactJson(`{"a": [1, {"b":${number}}, ${number}],"c":"${number}"}`) as {
        a: [number, { b: unknown }, unknown];
        c: string;
      };
      assert.deepEqual([inexactNumber(parsed.a[1].b), inexactNumber(parsed.a[2])], [number, number]);
      assert.deepEqual([parsed.a[0], parsed.c, inexactNumber(parsed.c)], [1, number, undefined]);
      assert.equal(inexactNumber(parseExactJson(` ${number} `)), number);
    }
  });

  it("parseExactJson does not look into strings and keys, whatever they escape", () => {
    const text = '9007199254740993 \\" 9007199254740993 \\';
    const value = { [text]: text, "": "\\", n: 1 };
    assert.deepEqual(parseExactJson(JSON.stringify(value)), value);
    assert.equal(
      inexactNumber((parseExactJson(`{"\\\\":9007199254740993}`) as Record<string, unknown>)["\\"]),
      "9007199254740993",
    );
  });

  it("parseExactJson parses any JSON without inexact numbers as JSON.parse does", () => {
    fc.assert(fc.property(fc.json(), (json) => assert.deepEqual(parseExactJson(json), JSON.parse(json))));
    for (const bad of ["", "{", "9007199254740993}", "-", "[1e]", '"9007199254740993']) {
      assert.throws(() => parseExactJson(bad), SyntaxError);
    }
  });

  it("parseExactJson does not hang on 5 MB of inexact numbers, of escapes or of one number", () => {
    const start = performance.now();
    for (const piece of ["9007199254740993,", '"\\\\\\\"",', `${"9".repeat(5_000_000)},`]) {
      parseExactJson(`[${piece.repeat(Math.ceil(5_000_000 / piece.length))}1]`);
    }
    assert.ok(performance.now() - start < 20_000);
  });
});
