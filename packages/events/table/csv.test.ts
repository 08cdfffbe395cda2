import assert from "node:assert/strict";
import fc from "fast-check";
import { csvText } from "./csv";

/** Reads CSV character by character, as RFC 4180 defines it. @returns the fields of each line; null: empty and without quotes */
function readCsv(text: string): (string | null)[][] {
  const lines: (string | null)[][] = [];
  const line: (string | null)[] = [];
  let at = 0;
  while (at < text.length) {
    let value: string | null = null;
    if (text[at] === '"') {
      value = "";
      for (at++; !(text[at] === '"' && text[at + 1] !== '"'); at++) {
        if (text[at] === '"') at++;
        value += text.charAt(at);
      }
      at++;
    } else {
      for (; text[at] !== "," && text[at] !== "\r"; at++) value = (value ?? "") + text.charAt(at);
    }
    line.push(value);
    if (text[at] === "\r") {
      assert.equal(text[at + 1], "\n");
      lines.push(line.splice(0));
      at++;
    } else assert.equal(text[at], ",");
    at++;
  }
  assert.deepEqual(line, [], "the last line has an end");
  return lines;
}

describe("csvText", () => {
  it("csvText writes a line of names and a line for each row, with an empty field for null", () => {
    const rows = [
      ["2026-05-17", 3, null],
      ["", 0.5, "x"],
    ];
    assert.equal(csvText({ columns: ["date", "n", "note"], rows }), 'date,n,note\r\n2026-05-17,3,\r\n"",0.5,x\r\n');
    assert.equal(csvText({ columns: ["date"], rows: [] }), "date\r\n");
  });

  it("csvText quotes text with commas, quotes and line ends, so that a reader gets every value back", () => {
    const value = fc.oneof(fc.string(), fc.constantFrom('"', ",", "\r\n", "\n", 'a "b", c', "ö\u{1f600}"));
    fc.assert(
      fc.property(fc.array(fc.tuple(value, fc.option(value), fc.integer())), (rows) => {
        const expected = rows.map((row) =>
          row.map((cell) => {
            if (cell === null) return null;
            const text = String(cell);
            return typeof cell === "string" && "=+-@\t\r".includes(text.charAt(0)) && text !== "" ? `'${text}` : text;
          }),
        );
        assert.deepEqual(readCsv(csvText({ columns: ["a", "b", "c"], rows })), [["a", "b", "c"], ...expected]);
      }),
    );
  });

  it("csvText puts an apostrophe in front of text that a spreadsheet would run as a formula, and leaves numbers alone", () => {
    const rows = [["=1+1", "@SUM(A1)", "+1", "-1"].map((text) => text), [-1, "a=b", "/page", "1-2"]];
    assert.equal(csvText({ columns: ["a", "b", "c", "d"], rows }).split("\r\n")[1], "'=1+1,'@SUM(A1),'+1,'-1");
    assert.equal(csvText({ columns: ["a", "b", "c", "d"], rows }).split("\r\n")[2], "-1,a=b,/page,1-2");
  });
});
