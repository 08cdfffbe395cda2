import "../sdk";
import Long from "long";
import type { PCollection } from "apache-beam";
import type { Pipeline } from "apache-beam/internal/pipeline";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { PaneInfoCoder } from "apache-beam/coders/standard_coders";
import { parDo } from "apache-beam/transforms/pardo";
import { withName, type PTransform } from "apache-beam/transforms/transform";
import { GlobalWindow } from "apache-beam/values";
import { MiniRunner } from "../testing/miniRunner";
import { bufferedBytes, dataLimits, openBundles, openTimerStream, type TimerStream } from "./dataChannel";
import type { MultiplexingDataChannel } from "apache-beam/worker/data";
import type { ExtendedOperator } from "./operators";
import { registerParDoOperator } from "../parDoOperators";
import { StateClient } from "../state/stateChannel";
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
      await stream.close();
    },
  };
});

const STATE_URN = "beam:dofn:test_state:v1";

/** Reads a state for each element, and emits the length of the element. */
registerParDoOperator(STATE_URN, (transformId, _transform, _spec, context, receiver): ExtendedOperator => {
  let client: StateClient;
  const empty = new Uint8Array();
  const bagUserState = { transformId, userStateId: "s", window: empty, key: empty };
  return {
    transformId,
    startBundle: () => {
      client = StateClient.forBundle(context);
      return Promise.resolve();
    },
    process: async (element) => {
      await client.get({ type: { oneofKind: "bagUserState", bagUserState } });
      await receiver.receive({ ...element, value: String((element.value as string).length) });
    },
    finishBundle: () => Promise.resolve(),
  };
});

/** A step with a DoFn of this URN. */
function testStep(name: string, urn: string): PTransform<PCollection<string>, PCollection<string>> {
  return withName(name, (_input: PCollection<string>, pipeline: Pipeline, proto: runnerApi.PTransform) => {
    const doFn = { urn, payload: new Uint8Array() };
    const payload = runnerApi.ParDoPayload.toBinary(runnerApi.ParDoPayload.create({ doFn }));
    proto.spec = { urn: parDo.urn, payload };
    return pipeline.createPCollectionInternal(stringCoder);
  });
}

async function withTimers<T>(use: (runner: MiniRunner, transformId: string) => Promise<T>): Promise<T> {
  const runner = await MiniRunner.start();
  await runner.describe("timers", (input) => pipe(input, testStep("timers", TIMERS_URN)));
  return use(runner, runner.transformId("timers", "timers")).finally(() => runner.close());
}

function heldBytes(channel: MultiplexingDataChannel | undefined): number {
  if (!channel) throw new Error("There is no data channel");
  const { received, sent } = bufferedBytes(channel);
  return received + sent;
}

/** Runs with a bound of 1 MiB in each direction. */
async function withLimits<T>(run: () => Promise<T>, stallMs = 30_000): Promise<T> {
  const before = { ...dataLimits };
  Object.assign(dataLimits, { received: 1 << 20, sent: 1 << 20, stallMs });
  return run().finally(() => Object.assign(dataLimits, before));
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
      // Data has a stream of its own, which can be behind the answer.
      await runner.until(() => runner.output(id).length >= 6, "the output");
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

  /**
   * 16 MiB for a step that takes a moment for each element, with a bound of 1 MiB: the bytes that the worker held at most, and
   * those of a bundle that was sent afterwards; whether the runner had to wait, and the number of outputs.
   */
  slowConsumer: () =>
    withSlowStep(async (runner) => {
      await runner.run("slow", [["opens the data stream"]]);
      const [channel] = runner.worker.dataChannels.values();
      return withLimits(async () => {
        let most = 0;
        const watch = setInterval(() => (most = Math.max(most, heldBytes(channel))), 1);
        const { id, response } = runner.startBundle("slow");
        for (let i = 0; i < 64; i++) await runner.send("slow", id, Array<string>(4).fill("x".repeat(64 << 10)));
        await runner.send("slow", id, [], true);
        await runner.until(() => most > 0, "data");
        const runnerWaits = runner.unsentMessages > 0;
        const other = runner.run("slow", [["behind all this data"]]);
        const { error } = await response;
        clearInterval(watch);
        await runner.until(() => runner.output(id).length === 256, "the output");
        return { error, most, runnerWaits, other: (await other).output, left: heldBytes(channel) };
      });
    }),

  /**
   * A step that asks for state for each of 64 elements of 256 KiB, and a runner that answers only after the worker has taken
   * all data, as a runner that holds a lock while it sends: the error, and the number of outputs.
   */
  stateBehindData: async () => {
    const runner = await MiniRunner.start();
    try {
      await runner.describe("state", (input) => pipe(input, testStep("state", STATE_URN)));
      runner.stateHangs = true;
      return await withLimits(async () => {
        const { id, response } = runner.startBundle("state");
        for (let i = 0; i < 64; i++) await runner.send("state", id, ["x".repeat(256 << 10)]);
        await runner.send("state", id, [], true);
        await runner.until(() => runner.unsentMessages > 0, "a paused stream");
        await runner.until(() => runner.unsentMessages === 0, "a stream that goes on");
        runner.answerHangingState();
        const { error } = await response;
        await runner.until(() => runner.output(id).length === 64, "the output");
        return { error, outputs: runner.output(id).length };
      }, 50);
    } finally {
      runner.close();
    }
  },

  /** A step that emits what it gets, 24 MiB, and a runner that takes output only after it has sent its data. */
  outputBehindData: async () => {
    const runner = await MiniRunner.start();
    try {
      await runner.describe("same", (input) => pipe(input, bundleParDo("same", new fixtures.Identity(), stringCoder)));
      await runner.run("same", [["opens the data stream"]]);
      return await withLimits(async () => {
        runner.pauseData();
        const { id, response } = runner.startBundle("same");
        for (let i = 0; i < 96; i++) await runner.send("same", id, ["x".repeat(256 << 10)]);
        await runner.send("same", id, [], true);
        await runner.until(() => runner.unsentMessages > 0, "a paused stream");
        await runner.until(() => runner.unsentMessages === 0, "a stream that goes on");
        runner.resumeData();
        const { error } = await response;
        await runner.until(() => runner.output(id).length === 96, "the output");
        return { error, outputs: runner.output(id).length };
      }, 50);
    } finally {
      runner.close();
    }
  },

  /**
   * A step that emits 64 KiB for each of 512 elements, and a runner that takes nothing for a while: the bytes that wait for
   * the runner, and the number of elements that the step has processed until then, and at the end.
   */
  slowRunner: async () => {
    const runner = await MiniRunner.start();
    try {
      await runner.describe("wide", (input) =>
        pipe(input, bundleParDo("widen", new fixtures.Widen(64 << 10), stringCoder)),
      );
      await runner.run("wide", [["opens the data stream"]]);
      const [channel] = runner.worker.dataChannels.values();
      return await withLimits(async () => {
        runner.pauseData();
        fixtures.widened.length = 0;
        const { id, response } = runner.startBundle("wide");
        for (let i = 0; i < 64; i++) await runner.send("wide", id, texts(8));
        await runner.send("wide", id, [], true);
        await runner.until(() => heldBytes(channel) > 1 << 20, "output that waits");
        await new Promise((resolve) => setTimeout(resolve, 500)); // more than a flush by the timer
        const held = heldBytes(channel);
        const processed = fixtures.widened.length;
        runner.resumeData();
        const { error } = await response;
        await runner.until(() => runner.output(id).length === 512, "the output");
        return { error, held, processed, end: fixtures.widened.length };
      });
    } finally {
      runner.close();
    }
  },

  /** The number of bundles that the channel still knows after twenty bundles have ended. */
  leftOver: () =>
    withSlowStep(async (runner) => {
      for (let i = 0; i < 20; i++) await runner.run("slow", [texts(1)]);
      return [...runner.worker.dataChannels.values()].map((channel) => channel.consumers.size + openBundles(channel));
    }),
};
