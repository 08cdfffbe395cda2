import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { RunFigures } from "../figures";
import type { Cleanup } from "../runBenchmark";
import { runPeer } from "./peerProcess";
import { compareRuns } from "./ratios";

const figures = (name: string, eventsPerSecond: number, cpu: number, worker = 0): RunFigures => ({
  name,
  events: 1000,
  isExact: true,
  seconds: 1,
  readSeconds: 1,
  eventsPerSecond,
  cpuPerMillion: { jvm: cpu - worker, worker, all: cpu },
  peakRssMiB: { jvm: 500, worker: 0, all: 500 },
  share: { own: 1, all: 1 },
  problems: [],
});

describe("bench:peers", () => {
  it("the comparison divides the medians of the exact runs of two programs", () => {
    const runs = [
      ...[figures("product", 3000, 100, 40), figures("java", 2000, 80), { ...figures("java", 9e9, 1), isExact: false }],
      { ...figures("python", 500, 900, 600), events: 100 },
    ];
    assert.deepEqual(compareRuns(runs), [
      "product / java: 1.50 times the events/s, 1.25 times the CPU per event, 1.00 times the memory",
      "product / python: 6.00 times the events/s, 0.11 times the CPU per event, 1.00 times the memory, " +
        "worker CPU per event 1 : 15.00 (1000 and 100 events)",
    ]);
    assert.deepEqual(compareRuns([figures("product", 1, 1)]), []);
  });

  describe("a peer in a process of its own", () => {
    let directory: string;
    let steps: (() => unknown)[];
    let cleanup: Cleanup;
    beforeEach(() => {
      directory = mkdtempSync(path.join(tmpdir(), "peer-"));
      steps = [];
      cleanup = { directory, signal: new AbortController().signal, later: (step) => void steps.push(step) };
    });
    afterEach(async () => {
      for (const step of steps) await step();
      rmSync(directory, { recursive: true });
    });

    const run = (script: string, limitMs = 30_000): Promise<RunFigures> =>
      runPeer(
        {
          name: "peer",
          events: 1000,
          limitMs,
          isJvm: false,
          onProgress: () => {},
          process: { name: "peer", command: "bash", args: ["-c", script], logFile: path.join(directory, "log") },
        },
        cleanup,
      );

    it("its time counts from its first event until it reports exact totals, and then it is ended", async () => {
      const { isExact, seconds, readSeconds, eventsPerSecond, problems } = await run(
        "sleep 0.3; echo first; sleep 0.3; echo read; sleep 0.1; echo exact; sleep 1000",
      );
      assert.deepEqual([isExact, problems], [true, []]);
      assert(readSeconds >= 0.25 && seconds >= readSeconds, `${readSeconds} of ${seconds}`);
      assert.equal(eventsPerSecond, 1000 / seconds);
    });

    it("a peer that reports a problem, exits or is too slow is not counted as undisturbed or exact", async () => {
      const restarted = await run("echo first; echo read; echo problem the job restarted; echo exact; sleep 1000");
      assert.deepEqual([restarted.isExact, restarted.problems], [true, ["problem the job restarted"]]);
      const exited = await run("echo first; echo out of memory >&2; exit 3");
      assert.equal(exited.isExact, false);
      assert.match(exited.problems.join(), /^peer exited\. The end of its log:\nout of memory$/);
      const slow = await run("echo first; echo progress 5 events; sleep 1000", 700);
      assert.equal(slow.isExact, false);
      assert.match(slow.problems.join(), /^not exact after 0\.7 s; 5 events$/);
    });
  });
});
