import assert from "node:assert/strict";
import { StartedBenchmark } from "./testing/startedBenchmark";

const FIXTURE = require.resolve("./testing/benchmarkFixture");

describe("runBenchmark", () => {
  let benchmark: StartedBenchmark;
  afterEach(() => benchmark.close());

  const start = (name: string): StartedBenchmark => (benchmark = new StartedBenchmark(FIXTURE, [name]));

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    it(`runBenchmark runs all cleanup steps at ${signal}, and leaves no process and no folder behind`, async () => {
      const { exited } = start("measures");
      await benchmark.prints(/ready/, 20_000);
      assert(benchmark.processes().length >= 3, "the benchmark, its child and the child of that");
      benchmark.signal(signal);
      assert.equal(await exited, code);
      assert.deepEqual(benchmark.processes(), []);
      assert.deepEqual(benchmark.leftFiles(), []);
      assert.equal(benchmark.output, `ready\nfirst step\nStopped by ${signal}\n`);
    });
  }

  it("runBenchmark ends processes that are starting at SIGTERM, and those that the benchmark starts afterwards", async () => {
    const { exited } = start("starts");
    await benchmark.prints(/ready/, 20_000);
    benchmark.signal("SIGTERM");
    assert.equal(await exited, 143);
    assert.deepEqual(benchmark.processes(), []);
    assert.deepEqual(benchmark.leftFiles(), []);
    assert.equal(benchmark.output, "ready\nStopped by SIGTERM\n");
  });

  it("runBenchmark waits for the cleanup when npm repeats the signal of a Ctrl-C", async () => {
    const { exited } = start("measures");
    await benchmark.prints(/ready/, 20_000);
    benchmark.signal("SIGINT");
    benchmark.signal("SIGINT");
    assert.equal(await exited, 130);
    assert.deepEqual(benchmark.processes(), []);
    assert.match(benchmark.output, /first step/);
  });

  it("runBenchmark ends everything when the benchmark fails or is done", async () => {
    const failed = await start("fails").exited;
    assert.equal(failed, 1);
    assert.match(benchmark.output, /Error: the benchmark failed\n/);
    assert.deepEqual([benchmark.processes(), benchmark.leftFiles()], [[], []]);
    await benchmark.close();
    assert.equal(await start("ends").exited, 0);
    assert.deepEqual([benchmark.processes(), benchmark.leftFiles()], [[], []]);
  });
});
