import "../sdk";
import Long from "long";
import type { PCollection } from "apache-beam";
import type { Pipeline } from "apache-beam/internal/pipeline";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { PaneInfoCoder } from "apache-beam/coders/standard_coders";
import { parDo } from "apache-beam/transforms/pardo";
import { withName } from "apache-beam/transforms/transform";
import { GlobalWindow } from "apache-beam/values";
import { MiniRunner } from "../testing/miniRunner";
import { openBundles, openTimerStream, type TimerStream } from "./dataChannel";
import type { ExtendedOperator } from "./operators";
import { registerParDoOperator } from "../parDoOperators";
import * as fixtures from "../testing/fixtures";
import { bundleParDo, onWorkerGone, pipe, stringCoder } from "../index";

const texts = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => String(from + i));

async function withSlowStep<T>(use: (runner: MiniRunner) => Promise<T>): Promise<T> {
  const runner = await MiniRunner.start();
  await runner.describe("slow", (input) => pipe(input, bundleParDo("slow", new fixtures.SlowIdentity(), stringCoder)));
  return use(runner).finally(() => runner.close());
}

const TIMERS_URN = "beam:dofn:test_timers:v1";

/** Emits its elements, and what fires as `timer <bytes>`, each a moment later; sets a timer again, with a `+`, when it fires. */
registerParDoOperator(TIMERS_URN, (transformId, _transform, _spec, context, receiver): ExtendedOperator => {
  let stream: TimerStream;
  const timestamp = Long.fromNumber(0);
  const emit = async (value: string): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    await receiver.receive({
      value,
      windows: [new GlobalWindow()],
      pane: PaneInfoCoder.ONE_AND_ONLY_FIRING,
      timestamp,
    });
  };
  return {
    transformId,
    startBundle: () => {
      stream = openTimerStream(context, transformId, "family", async (bytes) => {
        const text = Buffer.from(bytes).toString();
        if (text === "fail") throw new Error("this timer fails");
        await emit(`timer ${text}`);
        await stream.send(Buffer.from(`${text}+`));
      });
      return Promise.resolve();
    },
    process: ({ value }) => emit(value as string),
    finishBundle: async () => {
      await stream.received;
      stream.close();
    },
  };
});

async function withTimers<T>(use: (runner: MiniRunner, transformId: string) => Promise<T>): Promise<T> {
  const runner = await MiniRunner.start();
  await runner.describe("timers", (input) =>
    pipe(
      input,
      withName("timers", (_input: PCollection<string>, pipeline: Pipeline, proto: runnerApi.PTransform) => {
        const doFn = { urn: TIMERS_URN, payload: new Uint8Array() };
        const payload = runnerApi.ParDoPayload.toBinary(runnerApi.ParDoPayload.create({ doFn }));
        proto.spec = { urn: parDo.urn, payload };
        return pipeline.createPCollectionInternal(stringCoder);
      }),
    ),
  );
  return use(runner, runner.transformId("timers", "timers")).finally(() => runner.close());
}

export const scenarios = {
  /** Timers that fire between elements, before their step is created, and after it: the output, and what is set. */
  timers: () =>
    withTimers(async (runner, step) => {
      runner.startBundle("timers"); // opens the data stream
      const id = runner.newBundleId();
      await runner.sendTimers(id, step, "family", Buffer.from("early"));
      await new Promise((resolve) => setTimeout(resolve, 20));
      const { response } = runner.startBundle("timers", { id });
      await runner.send("timers", id, ["a", "b"]);
      await runner.sendTimers(id, step, "family", Buffer.from("between"));
      await runner.send("timers", id, ["c"], true);
      await runner.sendTimers(id, step, "family", Buffer.from("late"), true);
      const { error } = await response;
      await runner.until(() => runner.timers.some(({ isLast }) => isLast), "the last timer");
      const set = runner.timers.map(({ timers, isLast }) => Buffer.from(timers).toString() + (isLast ? "." : ""));
      return { error, output: runner.output(id), set };
    }),

  /** A timer whose handler throws while the runner still sends data: the error of the bundle. */
  failingTimer: () =>
    withTimers(async (runner, step) => {
      const { id, response } = runner.startBundle("timers");
      await runner.sendTimers(id, step, "family", Buffer.from("fail"));
      return (await response).error;
    }),

  /** Ten messages of twenty elements for an asynchronous operator: the output. */
  slowOperator: () =>
    withSlowStep(async (runner) => {
      const messages = Array.from({ length: 10 }, (_, i) => texts(20, 20 * i));
      return (await runner.run("slow", messages)).output;
    }),

  /** Data arrives before its bundle starts, and while the first of it is processed: the output. */
  earlyData: () =>
    withSlowStep(async (runner) => {
      await runner.run("slow", [["opens the data stream"]]);
      const id = runner.newBundleId();
      await runner.send("slow", id, texts(50));
      await new Promise((resolve) => setTimeout(resolve, 50));
      const { response } = runner.startBundle("slow", { id });
      await new Promise((resolve) => setTimeout(resolve, 10));
      await runner.send("slow", id, texts(50, 50), true);
      await response;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return runner.output(id);
    }),

  /** The data stream breaks during a bundle: its error, whether the worker ends, and why. */
  brokenStream: () =>
    withSlowStep(async (runner) => {
      let why = "";
      onWorkerGone((error) => void (why = error.message), runner.worker);
      const { id, response } = runner.startBundle("slow");
      await runner.send("slow", id, texts(3));
      await runner.until(() => runner.worker.dataChannels.size > 0, "the data stream");
      runner.breakData();
      const { error } = await response;
      await runner.until(() => runner.controlEnded, "the end of the worker");
      return { error, why };
    }),

  /** The data stream ends without an error during a bundle: the error of the bundle. */
  endedStream: () =>
    withSlowStep(async (runner) => {
      const { id, response } = runner.startBundle("slow");
      await runner.send("slow", id, texts(3));
      runner.endData();
      return (await response).error;
    }),

  /** The number of bundles that the channel still knows after twenty bundles have ended. */
  leftOver: () =>
    withSlowStep(async (runner) => {
      for (let i = 0; i < 20; i++) await runner.run("slow", [texts(1)]);
      return [...runner.worker.dataChannels.values()].map((channel) => channel.consumers.size + openBundles(channel));
    }),
};
