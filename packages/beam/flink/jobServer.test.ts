import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { startJobServer } from "./jobServer";

describe("Flink job server that does not start", () => {
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(path.join(tmpdir(), "job-server-"))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const start = (startTimeoutMs: number): Promise<unknown> =>
    startJobServer({ classpath: directory, workDir: directory, logFile: path.join(directory, "log"), startTimeoutMs });

  it("the error of a job server that exits while starting contains the end of its log", async () => {
    await assert.rejects(start(15_000), /exited before it was ready.*[^]*(ClassNotFoundException|Could not find)/);
  });

  it("the error of a job server that starts too slowly names the time limit", async () => {
    await assert.rejects(start(0), /was not ready after 0 ms/);
  });
});
