import "../sdk";
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { impulse, withName } from "apache-beam";
import type { Root } from "apache-beam";
import { FlinkHarness, LIMIT_MS } from "../testing/flinkHarness";
import { bundleParDo, newestCheckpoint, pipe, splittableParDo, stringCoder } from "../index";
import * as fixtures from "../testing/fixtures";

/** The number of keyed states for residuals in a checkpoint. */
function residualStates(directory: string): number {
  const names = new Set<string>();
  for (const file of readdirSync(directory)) {
    const content = readFileSync(path.join(directory, file), "latin1");
    for (const [name] of content.matchAll(/sdf_checkpoint:[\w:-]+/g)) names.add(name);
  }
  return names.size;
}

describe("Residuals of splittable sources on Flink", function () {
  this.timeout(400_000);
  let h: FlinkHarness;
  beforeEach(() => void (h = new FlinkHarness()));
  afterEach(() => h.close());

  /** One element in each bundle, as fast as the runner goes. */
  const oneElementBundles = { maxBundleSize: 1, maxBundleTimeMills: 2, checkpointingInterval: 500 };

  function ticks(root: Root, source: fixtures.TickingSource, failing?: fixtures.FailOnce): void {
    const read = pipe(root, impulse(), splittableParDo("read", source, stringCoder));
    pipe(
      failing ? pipe(read, bundleParDo("fail", failing, stringCoder)) : read,
      bundleParDo("out", new fixtures.AppendToFile(h.file("out")), stringCoder),
    );
  }

  /** The numbers that each restriction has emitted, in the order of arrival. */
  function numbers(): Map<string, number[]> {
    const byRestriction = new Map<string, number[]>();
    for (const line of h.lines<string>("out")) {
      const [id = "", number = ""] = (line.split("@")[0] ?? "").split("=");
      byRestriction.set(id, [...(byRestriction.get(id) ?? []), Number(number)]);
    }
    return byRestriction;
  }

  /** The shortest time between two elements of a single restriction; ms. */
  function shortestDelay(file: string): number {
    const times = h.lines<string>(file).map((line) => Number(line.split("@")[1]));
    return Math.min(...times.slice(1).map((time, i) => time - (times[i] as number)));
  }

  const count = (): number => h.lines("out").length;
  const states = (): number => residualStates(newestCheckpoint(h.file("checkpoints"))?.directory ?? h.directory);

  it("residuals use one state each while they are pending, and resume after their delay in milliseconds", async () => {
    const elements = 250;
    const failing = new fixtures.FailOnce(300, "throw", h.file("failed"));
    const build = (root: Root): void => {
      ticks(root, new fixtures.TickingSource(3, elements, 0), failing);
      pipe(
        root,
        withName("impulse slowly", impulse()),
        splittableParDo("read slowly", new fixtures.TickingSource(1, 1000, 400), stringCoder),
        bundleParDo("out slowly", new fixtures.AppendToFile(h.file("slow")), stringCoder),
      );
    };
    await h.start(build, { ...oneElementBundles, checkpointDir: h.file("checkpoints") });
    const complete = (): boolean => [...numbers().values()].filter((n) => n.includes(elements - 1)).length === 3;
    await h.until(complete, LIMIT_MS, "all elements");
    for (const [id, found] of numbers()) {
      assert.equal(new Set(found).size, elements, `restriction ${id} lost elements`);
    }
    const before = newestCheckpoint(h.file("checkpoints"))?.number ?? 0;
    const later = (): boolean => (newestCheckpoint(h.file("checkpoints"))?.number ?? 0) > before + 1;
    await h.until(later, LIMIT_MS, "a later checkpoint");
    assert(states() >= 1 && states() <= 3, `${states()} states for 3 restrictions`);
    assert(shortestDelay("slow") >= 390, `an element came ${shortestDelay("slow")} ms after the one before`);
  });

  it("Beam's own class keeps a state for each residual ever made, and truncates delays to seconds", async () => {
    await h.start((root) => ticks(root, new fixtures.TickingSource(1, 100_000, 400)), {
      ...oneElementBundles,
      checkpointDir: h.file("checkpoints"),
      classpath: await h.beamsOwnClasspath(),
    });
    await h.until(() => count() > 100 && states() > 50, LIMIT_MS, "a state for each residual");
    assert(shortestDelay("out") < 390);
  });
});
