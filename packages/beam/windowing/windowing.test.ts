import "../sdk";
import assert from "node:assert/strict";
import {
  AccumulationMode_Enum,
  OnTimeBehavior_Enum,
  TestStreamPayload,
  Trigger,
} from "apache-beam/proto/beam_runner_api";
import { SessionWindowsPayload } from "apache-beam/proto/standard_window_fns";
import {
  afterAll,
  afterAny,
  afterCount,
  afterEach,
  afterProcessingTime,
  afterWatermark,
  always,
  defaultTrigger,
  never,
  orFinally,
  repeatedly,
} from "./triggers";
import { GlobalWindow } from "apache-beam/values";
import { buildPipeline } from "../job";
import { pipe } from "../pipe";
import { END_OF_TIME_MS, testStream } from "../testStream";
import { sessionWindows, windowingStrategy } from "./strategy";

describe("Windowing strategies", () => {
  it("a windowing strategy discards fired panes and skips empty ones by default", () => {
    const strategy = windowingStrategy({ allowedLatenessMs: 1500 });
    assert.equal(strategy.accumulationMode, AccumulationMode_Enum.DISCARDING);
    assert.equal(strategy.onTimeBehavior, OnTimeBehavior_Enum.FIRE_IF_NONEMPTY);
    assert.equal(strategy.allowedLateness, 1500n);
    const other = windowingStrategy({ accumulating: true, emitEmptyOnTimePane: true });
    assert.equal(other.accumulationMode, AccumulationMode_Enum.ACCUMULATING);
    assert.equal(other.onTimeBehavior, OnTimeBehavior_Enum.FIRE_ALWAYS);
  });

  it("sessionWindows takes any whole number of milliseconds, and sends it to the runner unchanged", () => {
    for (const gap of [0, -1000, 0.5, Number.NaN, Infinity]) {
      assert.throws(() => sessionWindows(gap), new RegExp(`positive whole number of milliseconds, not ${gap} ms`));
    }
    for (const gap of [1, 1001, 1500, 1_800_000, 86_399_999]) {
      const { gapSize } = SessionWindowsPayload.fromBinary(sessionWindows(gap).toProto().payload);
      assert.equal(Number(gapSize?.seconds) * 1000 + (gapSize?.nanos ?? 0) / 1e6, gap);
    }
  });

  it("triggers have the form of the Beam model", () => {
    const { trigger } = afterWatermark({ early: afterProcessingTime(250), late: repeatedly(afterCount(1)) });
    assert(trigger.oneofKind === "afterEndOfWindow");
    const { earlyFirings, lateFirings } = trigger.afterEndOfWindow;
    assert.deepEqual(earlyFirings?.trigger, {
      oneofKind: "afterProcessingTime",
      afterProcessingTime: {
        timestampTransforms: [{ timestampTransform: { oneofKind: "delay", delay: { delayMillis: 250n } } }],
      },
    });
    assert(lateFirings?.trigger.oneofKind === "repeat");
  });

  it("composite triggers contain their parts, and survive the encoding of the Beam model", () => {
    const parts = [afterCount(1), afterProcessingTime(5)];
    const triggers: Readonly<Record<string, Trigger>> = {
      afterEach: afterEach(...parts),
      afterAll: afterAll(...parts),
      afterAny: afterAny(...parts),
      orFinally: orFinally(repeatedly(afterCount(1)), afterCount(9)),
      never: never(),
      always: always(),
      default: defaultTrigger(),
    };
    for (const [kind, trigger] of Object.entries(triggers)) {
      assert.equal(trigger.trigger.oneofKind, kind);
      assert.deepEqual(Trigger.fromBinary(Trigger.toBinary(trigger)), trigger);
    }
    for (const kind of ["afterEach", "afterAll", "afterAny"] as const) {
      assert.deepEqual(Reflect.get(triggers[kind]?.trigger ?? {}, kind), { subtriggers: parts });
    }
    assert.deepEqual(Reflect.get(triggers["orFinally"]?.trigger ?? {}, "orFinally"), {
      main: repeatedly(afterCount(1)),
      finally: afterCount(9),
    });
    for (const composite of [afterEach, afterAll, afterAny])
      assert.throws(() => composite(), /needs at least one trigger/);
  });

  it("END_OF_TIME_MS is an event time of the Beam model, and ends a test stream", async () => {
    const maxTimestamp = 9_223_372_036_854_775n; // Java's BoundedWindow.TIMESTAMP_MAX_VALUE
    assert(BigInt(END_OF_TIME_MS) <= maxTimestamp);
    assert(BigInt(END_OF_TIME_MS) > new GlobalWindow().maxTimestamp().toNumber());
    const pipeline = await buildPipeline((root) => pipe(root, testStream("s", [{ watermarkMs: END_OF_TIME_MS }])));
    const [stream] = Object.values(pipeline.components?.transforms ?? {}).filter(
      ({ spec }) => spec?.urn === "beam:transform:teststream:v1",
    );
    const { events } = TestStreamPayload.fromBinary(stream?.spec?.payload ?? new Uint8Array());
    assert.deepEqual(events, [
      { event: { oneofKind: "watermarkEvent", watermarkEvent: { tag: "", newWatermark: maxTimestamp } } },
    ]);
  });
});
