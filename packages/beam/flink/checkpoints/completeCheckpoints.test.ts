import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { newestCheckpoint } from "./completeCheckpoints";

describe("newestCheckpoint", () => {
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(path.join(tmpdir(), "checkpoints-"))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function checkpoint(job: string, name: string, metadata: string | undefined, atSeconds: number): string {
    const folder = path.join(directory, job, name);
    mkdirSync(folder, { recursive: true });
    if (metadata !== undefined) {
      writeFileSync(path.join(folder, "_metadata"), metadata);
      utimesSync(path.join(folder, "_metadata"), atSeconds, atSeconds);
    }
    return folder;
  }

  it("newestCheckpoint finds the checkpoint with the highest number, whatever its file times are", () => {
    checkpoint("first", "chk-98", "m", 900);
    checkpoint("first", "chk-9", "m", 1000);
    const newest = checkpoint("second", "chk-102", "m", 300);
    assert.deepEqual(newestCheckpoint(directory), { job: "second", directory: newest, number: 102 });
  });

  it("newestCheckpoint ignores incomplete checkpoints", () => {
    const complete = checkpoint("job", "chk-1", "m", 100);
    checkpoint("job", "chk-2", undefined, 200);
    checkpoint("job", "chk-3", "", 300);
    checkpoint("job", "shared", "m", 400);
    assert.equal(newestCheckpoint(directory)?.directory, complete);
  });

  it("newestCheckpoint finds nothing in an empty or missing folder", () => {
    assert.equal(newestCheckpoint(directory), undefined);
    assert.equal(newestCheckpoint(path.join(directory, "absent")), undefined);
  });
});
