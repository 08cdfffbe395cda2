import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import type { Output } from "@eventlogger/options/terminal";
import { waitUntil } from "@eventlogger/process/wait";
import { RebuildDisplay } from "./display";

function output(isTTY: boolean): { readonly stream: Output; text: () => string } {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 120 });
  let text = "";
  stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return { stream, text: () => text };
}

describe("The display of a rebuild", () => {
  it("prints a line for each phase, and lines that stay, where the output is not a terminal", async () => {
    const { stream, text } = output(false);
    const display = new RebuildDisplay(stream);
    display.phase("creating");
    display.doing("creating the replay topic");
    display.phase("replaying");
    display.rows(10, 100);
    display.say("generation 2 is active");
    display.phase("aborting");
    display.close();
    await waitUntil("the lines", () => text().includes("aborting\n"));
    assert.equal(text(), "[1/6] creating\n[2/6] replaying\ngeneration 2 is active\naborting\n");
  });

  it("draws the phase with a bar and the rows on a terminal, and removes it at the end", async () => {
    const { stream, text } = output(true);
    const display = new RebuildDisplay(stream);
    display.phase("replaying");
    display.rows(50, 100);
    await waitUntil("the live line", () => text().includes("50 of 100 rows"));
    assert.match(text(), /\[2\/6\] replaying {2}█{10}░{10} 50 of 100 rows/);
    display.close();
    await waitUntil("the end of the line", () => text().endsWith("\r\u001b[K"));
  });
});
