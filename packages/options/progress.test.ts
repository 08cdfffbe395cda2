import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { Progress } from "./progress";
import type { Output } from "./terminal";

function recordedOutput(isTTY: boolean): { readonly output: Output; readonly written: () => Promise<string> } {
  const stream = new PassThrough();
  const output: Output = Object.assign(stream, { isTTY, columns: 200 });
  const written = (): Promise<string> => {
    stream.end();
    return text(stream);
  };
  return { output, written };
}

describe("Progress", () => {
  it("Progress prints start, intermediate reports and end of a long step where the output is not a terminal", async () => {
    const { output, written } = recordedOutput(false);
    const progress = new Progress(output, { reportEveryMs: 30, announceAfterMs: 5 });
    const result = await progress.step("Maven", async (onProgress) => {
      onProgress("building the Flink job server");
      onProgress("downloaded 45 files");
      await sleep(100);
      return 7;
    });
    assert.equal(result, 7);
    const lines = (await written()).trimEnd().split("\n");
    assert.equal(lines[0], "Maven: building the Flink job server");
    assert.match(lines[1] ?? "", /^Maven: \d+ s, downloaded 45 files$/);
    assert.match(lines.at(-1) ?? "", /^Maven: done in \d+\.\d s$/);
  });

  it("Progress prints nothing about a short step that reports nothing", async () => {
    const { output, written } = recordedOutput(false);
    await new Progress(output).step("nginx", () => undefined);
    assert.equal(await written(), "");
  });

  it("Progress names the step that failed and throws its error", async () => {
    const { output, written } = recordedOutput(false);
    const step = new Progress(output).step("pip", () => Promise.reject(new Error("no network")));
    await assert.rejects(step, /no network/);
    assert.match(await written(), /^pip: failed after \d+\.\d s\n$/);
  });

  it("Progress draws every running step on one live line of a terminal", async () => {
    const { output, written } = recordedOutput(true);
    const progress = new Progress(output, { announceAfterMs: 5 });
    await Promise.all([
      progress.step("Maven", async (onProgress) => {
        onProgress("downloaded 45 files");
        await sleep(50);
      }),
      progress.step("pip", () => sleep(50)),
    ]);
    const all = await written();
    assert.ok(all.includes("\r\u001b[KMaven: 0 s, downloaded 45 files  |  pip: 0 s"), JSON.stringify(all));
    assert.ok(!all.includes("started"), JSON.stringify(all));
  });
});
