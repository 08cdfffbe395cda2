import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { JobServerLog, LogFollower } from "./jobServerLog";

/** Lines of Flink 1.16. */
const AT = "2026-11-30T03:29:45.187";
const RESTART = `${AT} INFO org.apache.flink.runtime.executiongraph.ExecutionGraph: Job eventlogger (c3c04796) switched from state RUNNING to RESTARTING.`;
const FAILED = `${AT} WARNING org.apache.flink.runtime.checkpoint.CheckpointFailureManager: Failed to trigger or complete checkpoint 7 for job c3c04796. (0 consecutive failed attempts so far)`;
const EXCEPTION = "org.apache.flink.runtime.checkpoint.CheckpointException";
const FRAME =
  "\tat org.apache.flink.runtime.checkpoint.CheckpointCoordinator.onTriggerFailure(CheckpointCoordinator.java:1900)";

describe("JobServerLog", () => {
  const eventsOf = (...batches: string[][]): { restarts: number; failed: string[] } => {
    const found = { restarts: 0, failed: [] as string[] };
    const log = new JobServerLog({
      onRestart: () => found.restarts++,
      onFailedCheckpoint: (reason) => found.failed.push(reason),
    });
    for (const lines of batches) log.read(lines);
    return found;
  };

  it("counts restarts of the job, and finds the cause of a failed checkpoint in its stack trace", () => {
    const lines = [
      FAILED,
      `${EXCEPTION}: Could not finalize the pending checkpoint 7. Failure reason: Failure to finalize checkpoint.`,
      FRAME,
      "Caused by: java.io.IOException: No space left on device",
      "\tat java.base/java.io.FileOutputStream.writeBytes(Native Method)",
      "\t... 8 more",
      RESTART,
      RESTART.replace("RUNNING to RESTARTING", "RESTARTING to RUNNING"),
    ];
    assert.deepEqual(eventsOf(lines), { restarts: 1, failed: ["java.io.IOException: No space left on device"] });
    assert.deepEqual(eventsOf([RESTART], [FAILED]), { restarts: 1, failed: ["unknown reason"] });
  });

  it("ignores a checkpoint that a restart of the job has ended", () => {
    const lines = [RESTART, FAILED, `${EXCEPTION}: Checkpoint Coordinator is suspending.`, FRAME];
    assert.deepEqual(eventsOf(lines), { restarts: 1, failed: [] });
  });
});

describe("LogFollower", () => {
  let directory: string;
  beforeEach(() => void (directory = mkdtempSync(path.join(tmpdir(), "follow-"))));
  afterEach(() => rmSync(directory, { recursive: true }));

  it("reads complete lines that are appended after its start, also after the file was emptied", () => {
    const file = path.join(directory, "log");
    assert.deepEqual(new LogFollower(file).read(), []);
    writeFileSync(file, "earlier\n");
    const follower = new LogFollower(file);
    assert.deepEqual(follower.read(), []);
    appendFileSync(file, "one\ntw");
    assert.deepEqual(follower.read(), ["one"]);
    appendFileSync(file, "o\n");
    assert.deepEqual(follower.read(), ["two"]);
    writeFileSync(file, "new\n");
    assert.deepEqual(follower.read(), ["new"]);
  });
});
