import "../sdk";
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { impulse, withName, parDo } from "apache-beam";
import type { Root } from "apache-beam";
import { FlinkHarness } from "../testing/flinkHarness";
import { bundleParDo, pipe, splittableParDo, statefulParDo, stringCoder, textKvCoder, withKvCoder } from "../index";
import * as fixtures from "../testing/fixtures";
import { checkpointTimeoutMs } from "./job";

/** Well below the checkpoint timeout, which would also end a wait for a dead worker. */
const RESTART_LIMIT_MS = 90_000;

describe("Workers that die while Flink waits for them", () => {
  let h: FlinkHarness;
  beforeEach(() => void (h = new FlinkHarness()));
  afterEach(() => h.close());

  const options = { checkpointingInterval: 1000, maxBundleTimeMills: 100 };
  const build =
    (count: number, failing: fixtures.DieBeforeEndOfData) =>
    (root: Root): void => {
      const read = pipe(
        root,
        impulse(),
        splittableParDo("read", new fixtures.CountingSource(count, 250, h.file("finalized")), stringCoder),
        bundleParDo("die", failing, stringCoder),
      );
      pipe(
        read,
        withName("pair", parDo(new fixtures.SplitPair())),
        withKvCoder("kv", textKvCoder),
        statefulParDo("sum", new fixtures.SumPerKey(), { input: textKvCoder, output: stringCoder }),
        bundleParDo("out", new fixtures.AppendToFile(h.file("out")), stringCoder),
      );
    };
  const finalized = (count: number): boolean => h.text("finalized").includes(`-${count}\n`);

  it("the checkpoint timeout is 3 minutes at least, and 20 intervals", () => {
    assert.equal(checkpointTimeoutMs(3000), 180_000);
    assert.equal(checkpointTimeoutMs(60_000), 1_200_000);
  });

  it("the job restarts from its checkpoint each time a worker dies between the response and the data of a bundle", async () => {
    const [count, deaths] = [3000, 2];
    const marker = h.file("died");
    const dying = new fixtures.DieBeforeEndOfData(1000, deaths, marker);
    await h.start(build(count, dying), { ...options, checkpointDir: h.file("checkpoints") });
    await h.until(() => existsSync(marker) && statSync(marker).size === deaths, RESTART_LIMIT_MS, "the last death");
    await h.until(() => finalized(count), RESTART_LIMIT_MS, "the last bundle to be finalized");
  });

  for (const moment of ["loading modules", "opening the data stream"] as const) {
    it(`the job restarts after a worker died while ${moment}`, async () => {
      const marker = h.file("died");
      const harmless = new fixtures.DieBeforeEndOfData(1, 0, h.file("none"));
      await h.start(build(500, harmless), { ...options, workerEnv: fixtures.dieOnce(moment, marker) });
      await h.until(() => existsSync(marker), RESTART_LIMIT_MS, "the death");
      await h.until(() => finalized(500), RESTART_LIMIT_MS, "the last bundle to be finalized");
    });
  }

  it("a worker whose start is cancelled, because another one has died, ends although its process goes on to start", async () => {
    const marker = h.file("died");
    const harmless = new fixtures.DieBeforeEndOfData(1, 0, h.file("none"));
    const workerEnv = fixtures.dieOnce("another worker is loading modules", marker);
    const run = await h.start(build(500, harmless), { ...options, workerEnv, parallelism: 2 });
    await h.until(() => existsSync(marker), RESTART_LIMIT_MS, "the death");
    await h.until(() => finalized(500), RESTART_LIMIT_MS, "the last bundle to be finalized");
    await h.until(() => run.workers.pids.length === 2, RESTART_LIMIT_MS, "the cancelled worker to end");
  });
});
