import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { colours, LiveLine, printable, type Output } from "./terminal";

const output = (isTTY: boolean): Output & PassThrough => Object.assign(new PassThrough(), { isTTY, columns: 20 });

describe("terminal output", () => {
  it("is coloured only on a terminal without NO_COLOR", () => {
    assert.equal(colours(output(true), {}).red("x"), "\u001b[31mx\u001b[0m");
    assert.equal(colours(output(false), {}).red("x"), "x");
    assert.equal(colours(output(true), { NO_COLOR: "1" }).red("x"), "x");
    assert.equal(colours(output(true), { TERM: "dumb" }).red("x"), "x");
  });

  it("redraws a live line in place, cut to the width of the terminal, and clears it", () => {
    const terminal = output(true);
    const line = new LiveLine(terminal, 0);
    line.draw(() => "a".repeat(50));
    line.clear();
    line.clear();
    assert.equal(String(terminal.read()), `\r\u001b[K${"a".repeat(19)}\r\u001b[K`);
  });

  it("writes no live line to a file", () => {
    const file = output(false);
    const line = new LiveLine(file, 0);
    line.draw(() => "a");
    line.clear();
    assert.equal(file.read(), null);
  });

  it("shows text of others without characters that could change what else is shown", () => {
    assert.equal(printable("Grüße 👩‍🚀 \u001b[2J\n\u009b\u202e"), "Grüße 👩‍🚀 \\u001b[2J\\u000a\\u009b\\u202e");
  });
});
