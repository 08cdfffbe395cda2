import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChildProcess } from "./childProcess";
import { followLog } from "./followLog";
import { waitUntil } from "./wait";

describe("followLog", () => {
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "follow-log-"))));
  afterEach(() => rmSync(directory, { recursive: true }));

  it("followLog reports each new last line of a running process once", async () => {
    const script = "console.log('one'); process.on('SIGTERM', () => { console.log('two'); setInterval(() => {}, 9); })";
    const child = await startChildProcess({
      name: "child",
      command: process.execPath,
      args: ["-e", `${script}; setInterval(() => {}, 1000)`],
      logFile: join(directory, "log"),
    });
    const lines: string[] = [];
    followLog(child, (line) => lines.push(line), 10);
    await waitUntil("the first line", () => lines.length > 0);
    process.kill(child.pid, "SIGTERM");
    await waitUntil("the second line", () => lines.length > 1);
    await child.stop(0);
    assert.deepEqual(lines, ["one", "two"]);
  });
});
