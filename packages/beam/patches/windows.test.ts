import "../sdk";
import assert from "node:assert/strict";
import fc from "fast-check";
import Long from "long";
import { FixedWindowsPayload } from "apache-beam/proto/standard_window_fns";
import { windowInto } from "apache-beam/transforms/window";
import { extractName } from "apache-beam/transforms/transform";
import { fixedWindows, sessions, slidingWindows } from "apache-beam/transforms/windowings";
import { withoutPatch, type Outcome } from "../testing/scenario";
import { scenarios, windowsOf } from "./windows.scenario";

describe("Patch of the windows", () => {
  let without: Record<string, Outcome>;
  before(async () => {
    without = await withoutPatch("windows", require.resolve("./windows.scenario"), Object.keys(scenarios));
  });

  /** Asserts the values of a scenario with the patch and without it. */
  async function assertScenario(name: keyof typeof scenarios, patched: unknown, broken: unknown): Promise<void> {
    assert.deepEqual(await scenarios[name](), patched);
    assert.deepEqual(without[name], { ended: "value", value: broken });
  }

  it("the patched windows contain the elements before 1970 that are assigned to them", async () => {
    await assertScenario(
      "before1970",
      [
        [[-10_000, 0]],
        [
          [-5000, 5000],
          [-10_000, 0],
        ],
      ],
      [
        [[0, 10_000]],
        [
          [0, 10_000],
          [-5000, 5000],
          [-10_000, 0],
        ],
      ],
    );
  });

  it("the patched windows send sizes below one second to the runner", () =>
    assertScenario("sizes", [1500, 250, 125, 100], [1000, 0, 0, 0]));

  it("the patched sliding windows say when an element is in several windows", () =>
    assertScenario("inOneWindow", [false, true], [true, true]));

  it("every element is in its fixed window, and in as many sliding windows as the size has periods", () => {
    const time = fc.maxSafeInteger().map((n) => Math.trunc(n / 1024));
    fc.assert(
      fc.property(time, fc.integer({ min: 1, max: 100_000 }), fc.integer(), (t, sizeMs, offsetMs) => {
        const offset = Long.fromNumber(offsetMs);
        const [[start, end] = [0, 0], ...more] = windowsOf(fixedWindows(sizeMs / 1000, offset), t);
        assert(start <= t && t < end && end - start === sizeMs && more.length === 0);
        assert.equal(Long.fromNumber(start).sub(offset.mul(1000)).mod(sizeMs).toNumber() + 0, 0);
        const sliding = windowsOf(slidingWindows((3 * sizeMs) / 1000, sizeMs / 1000, offset), t);
        assert.equal(sliding.length, 3);
        for (const [from, to] of sliding) assert(from <= t && t < to && to - from === 3 * sizeMs);
      }),
    );
  });

  it("the offset of windows is sent to the runner as a number from 0 to the size", () => {
    const { offset } = FixedWindowsPayload.fromBinary(fixedWindows(10, Long.fromNumber(-3)).toProto().payload);
    assert.deepEqual(offset, { seconds: 7n, nanos: 0 });
  });

  it("window sizes that are not a positive whole number of milliseconds are an error", () => {
    for (const size of [0, -1, 0.0001, Number.NaN, Infinity]) {
      assert.throws(() => fixedWindows(size), RangeError);
      assert.throws(() => slidingWindows(size, 1), RangeError);
      assert.throws(() => slidingWindows(1, size), RangeError);
      assert.throws(() => sessions(size), RangeError);
    }
  });

  it("the patch keeps the names of steps", () => {
    assert.equal(extractName(windowInto(fixedWindows(60))), "WindowInto(fixedWindows(60), undefined)");
    assert.equal(extractName(windowInto(slidingWindows(30, 5))), "WindowInto(slidingWindows(30, 5), undefined)");
    assert.equal(
      extractName(windowInto(fixedWindows(60, Long.fromNumber(2)))),
      "WindowInto(fixedWindows(60, 2), undefined)",
    );
    assert.equal(extractName(windowInto(sessions(600))), "WindowInto(sessions(600), undefined)");
  });
});
