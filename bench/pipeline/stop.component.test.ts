import assert from "node:assert/strict";
import { waitUntil } from "@eventlogger/process/wait";
import { StartedBenchmark } from "../testing/startedBenchmark";

const MAIN = require.resolve("./main");

describe("bench:pipeline", () => {
  let benchmark: StartedBenchmark;
  beforeEach(() => {
    benchmark = new StartedBenchmark(MAIN, ["--only", "realistic", "--count", "500000", "--heap", "600m"]);
  });
  afterEach(() => benchmark.close());

  async function assertStops(): Promise<void> {
    benchmark.signal("SIGTERM");
    assert.equal(await benchmark.exited, 143, benchmark.output);
    assert.deepEqual(benchmark.processes(), [], "processes are left");
    assert.deepEqual(benchmark.leftFiles(), [], "files are left");
  }

  it("bench:pipeline ends its job server and workers at SIGTERM while it measures", async () => {
    await benchmark.prints(/the first event is read/, 90_000);
    assert(benchmark.processes().length >= 3, "the benchmark, a job server and a worker");
    await assertStops();
  });

  it("bench:pipeline ends its job server at SIGTERM while that starts", async () => {
    await waitUntil("the job server", () => benchmark.processes().length >= 2, { timeoutMs: 90_000 });
    await assertStops();
  });
});
