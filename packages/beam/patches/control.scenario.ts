import "../sdk";
import * as fnApi from "apache-beam/proto/beam_fn_api";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { withName, parDo, type PCollection } from "apache-beam";
import type { Pipeline } from "apache-beam/internal/pipeline";
import type { PTransform } from "apache-beam/transforms/transform";
import { evictIdleProcessors } from "./control";
import { openBundles } from "./dataChannel";
import { shouldYield, yieldToEventLoop } from "./operators";
import { NonPromise } from "apache-beam/worker/operators";
import { registerParDoOperator } from "../parDoOperators";
import { MiniRunner } from "../testing/miniRunner";
import { waitUntil } from "@eventlogger/process/wait";
import * as fixtures from "../testing/fixtures";
import {
  beforeFinalize,
  bundleParDo,
  countApiRequest,
  onWorkerGone,
  pipe,
  splittableParDo,
  statefulParDo,
  stringCoder,
  textKvCoder,
  withKvCoder,
} from "../index";

const texts = (count: number): string[] => Array.from({ length: count }, (_, i) => `k=${i}`);
const sized = (restriction: string): unknown => ({
  key: { key: new Uint8Array(), value: new TextEncoder().encode(JSON.stringify(restriction)) },
  value: 1,
});

async function withRunner<T>(use: (runner: MiniRunner) => Promise<T>): Promise<T> {
  const runner = await MiniRunner.start();
  await runner.describe("slow", (input) => pipe(input, bundleParDo("slow", new fixtures.SlowIdentity(), stringCoder)));
  await runner.describe("plain", (input) => pipe(input, withName("pair", parDo(new fixtures.SplitPair()))));
  await runner.describe("stateful", (input) =>
    pipe(
      input,
      withName("pair", parDo(new fixtures.SplitPair())),
      withKvCoder("kv", textKvCoder),
      statefulParDo("sum", new fixtures.SumPerKey(), { input: textKvCoder, output: stringCoder }),
    ),
  );
  await runner.describe("read", (input) =>
    pipe(input as never, splittableParDo("read", new fixtures.OneElement(), stringCoder)),
  );
  fixtures.finalizerCalls.length = 0;
  return use(runner).finally(() => runner.close());
}

/** Requests a split during a bundle; returns the response. */
async function split(runner: MiniRunner, descriptorId: string): Promise<fnApi.InstructionResponse["response"]> {
  const { id, response } = runner.startBundle(descriptorId);
  await runner.send(descriptorId, id, texts(3));
  await runner.until(() => runner.worker.activeBundleProcessors.has(id), "the bundle");
  await new Promise((resolve) => setTimeout(resolve, 50));
  const desired = fnApi.ProcessBundleSplitRequest_DesiredSplit.create({
    fractionOfRemainder: 0.5,
    estimatedInputElements: 100n,
  });
  const answer = await runner.instruct({
    oneofKind: "processBundleSplit",
    processBundleSplit: { instructionId: id, desiredSplits: { source: desired } },
  }).response;
  await runner.send(descriptorId, id, [], true);
  await response;
  return answer.response;
}

function channelSplits(response: fnApi.InstructionResponse["response"]): number {
  return response.oneofKind === "processBundleSplit" ? response.processBundleSplit.channelSplits.length : -1;
}

const processBundle = ({ response }: fnApi.InstructionResponse): fnApi.ProcessBundleResponse | undefined =>
  response.oneofKind === "processBundle" ? response.processBundle : undefined;

const TEARDOWN_URN = "beam:dofn:test_teardown:v1";
let onTeardown: ((transformId: string) => void) | undefined;

registerParDoOperator(TEARDOWN_URN, (transformId, _transform, _spec, _context, receiver) => ({
  transformId,
  startBundle: () => Promise.resolve(),
  process: (element) => receiver.receive(element),
  finishBundle: () => Promise.resolve(),
  teardown: () => onTeardown?.(transformId),
}));

const BUSY_URN = "beam:dofn:test_busy:v1";

let onBusy: (() => void) | undefined;

/** Works for about a second in all, and lets the event loop do other work. */
registerParDoOperator(BUSY_URN, (transformId) => ({
  transformId,
  startBundle: () => Promise.resolve(),
  process: () => NonPromise,
  finishBundle: async () => {
    onBusy?.();
    for (let element = 0; element < 100; element++) {
      const end = performance.now() + 10;
      while (performance.now() < end);
      if (shouldYield()) await yieldToEventLoop();
    }
  },
}));

/** A step with a DoFn of this URN. */
function testStep(urn: string): PTransform<PCollection<string>, PCollection<string>> {
  return withName("step", (_input: PCollection<string>, pipeline: Pipeline, proto: runnerApi.PTransform) => {
    const payload = runnerApi.ParDoPayload.toBinary(
      runnerApi.ParDoPayload.create({ doFn: { urn, payload: new Uint8Array() } }),
    );
    proto.spec = { urn: parDo.urn, payload };
    return pipeline.createPCollectionInternal(stringCoder);
  });
}

/** A step that learns when its operator is torn down. */
function withTeardown(listener: (transformId: string) => void): PTransform<PCollection<string>, PCollection<string>> {
  onTeardown = listener;
  return testStep(TEARDOWN_URN);
}

export const scenarios = {
  /** The number of lines that a bundle writes to standard output. */
  consoleLines: () =>
    withRunner(async (runner) => {
      const { log } = console;
      let lines = 0;
      console.log = () => void lines++;
      try {
        await runner.run("plain", [texts(1)]);
      } finally {
        console.log = log;
      }
      return lines;
    }),

  /** The kinds of responses to the instructions of a runner. */
  instructions: () =>
    withRunner(async (runner) => {
      const answers = [
        await runner.instruct({ oneofKind: "harnessMonitoringInfos", harnessMonitoringInfos: {} }).response,
        await runner.instruct({ oneofKind: "monitoringInfos", monitoringInfos: { monitoringInfoId: ["none"] } })
          .response,
        await runner.instruct({ oneofKind: "finalizeBundle", finalizeBundle: { instructionId: "none" } }).response,
        await runner.instruct({ oneofKind: "processBundleProgress", processBundleProgress: { instructionId: "none" } })
          .response,
      ];
      return answers.map(({ response, error }) => (error ? "error" : response.oneofKind));
    }),

  /** Whether the short ids of a bundle's metrics can be looked up. */
  monitoringInfos: () =>
    withRunner(async (runner) => {
      const { response } = await runner.run("plain", [texts(3)]);
      const ids = Object.keys(processBundle(response)?.monitoringData ?? {});
      const answer = await runner.instruct({ oneofKind: "monitoringInfos", monitoringInfos: { monitoringInfoId: ids } })
        .response;
      const { response: found } = answer;
      if (found.oneofKind !== "monitoringInfos") return 0;
      return Object.values(found.monitoringInfos.monitoringInfo).filter(({ urn }) => urn.includes("element_count"))
        .length;
    }),

  splitsOfState: () => withRunner(async (runner) => channelSplits(await split(runner, "stateful"))),
  splitsWithoutState: () => withRunner(async (runner) => channelSplits(await split(runner, "plain"))),

  /** A self-checkpoint: its residual, and the calls of its finalizer. */
  residual: () =>
    withRunner(async (runner) => {
      const { id, response, output } = await runner.run("read", [[sized("a")]]);
      const answer = processBundle(response);
      const before = [...fixtures.finalizerCalls];
      await runner.instruct({ oneofKind: "finalizeBundle", finalizeBundle: { instructionId: id } }).response;
      await runner.instruct({ oneofKind: "finalizeBundle", finalizeBundle: { instructionId: id } }).response;
      return {
        output,
        residuals: answer?.residualRoots.map(({ application, requestedTimeDelay }) => ({
          restriction: Buffer.from(application?.element ?? []).includes('"a+"'),
          watermarks: Object.values(application?.outputWatermarks ?? {}).map((w) => `${w.seconds} s ${w.nanos} ns`),
          delayNanos: requestedTimeDelay?.nanos,
        })),
        requiresFinalization: answer?.requiresFinalization,
        before,
        calls: [...fixtures.finalizerCalls],
      };
    }),

  /** The calls of a finalizer before and after its listener resolves, and when the listener rejects. */
  listenerBeforeFinalize: () =>
    withRunner(async (runner) => {
      const finalize = async (restriction: string): Promise<string> => {
        const { id } = await runner.run("read", [[sized(restriction)]]);
        const request = { oneofKind: "finalizeBundle", finalizeBundle: { instructionId: id } } as const;
        return (await runner.instruct(request).response).error;
      };
      const whileListening: string[] = [];
      const removeSlow = beforeFinalize(async () => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        whileListening.push(...fixtures.finalizerCalls);
        return 7;
      });
      const first = await finalize("a");
      removeSlow();
      const removeFailing = beforeFinalize(() => Promise.reject(new Error("the disk is full")));
      const second = await finalize("b");
      removeFailing();
      return { whileListening, errors: [first, second], calls: [...fixtures.finalizerCalls] };
    }),

  /** The control stream ends while a finalizer waits and a restriction is processed: the calls of the finalizers. */
  streamEnds: () =>
    withRunner(async (runner) => {
      await runner.run("read", [[sized("a")]]);
      const { id } = runner.startBundle("read");
      await runner.send("read", id, [sized("wait")]);
      await runner.send("read", id, [], true);
      await new Promise((resolve) => setTimeout(resolve, 100));
      runner.endControl();
      await new Promise((resolve) => setTimeout(resolve, 300));
      return [...fixtures.finalizerCalls].sort();
    }),

  /** One restriction fails while another is processed: the error, the calls of the finalizers, and a later bundle. */
  failedBundle: () =>
    withRunner(async (runner) => {
      const { id, response } = runner.startBundle("read");
      await runner.send("read", id, [sized("wait"), sized("fail")]);
      await runner.send("read", id, [], true);
      const { error } = await response;
      const allCalled = (): boolean => fixtures.finalizerCalls.length === 3;
      // Without the patch they never are.
      await waitUntil("the end of the bundle", allCalled, { timeoutMs: 2000 }).catch(() => {});
      const calls = [...fixtures.finalizerCalls].sort();
      const { output } = await runner.run("read", [[sized("b")]]);
      return { error, calls, output };
    }),

  /** A restriction fails while another one ignores that: the error, and the calls until then and later. */
  stubbornWork: () =>
    withRunner(async (runner) => {
      const { id, response } = runner.startBundle("read");
      await runner.send("read", id, [sized("stubborn"), sized("fail")], true);
      const { error } = await response;
      const before = [...fixtures.finalizerCalls];
      await runner.until(() => fixtures.finalizerCalls.length === 3, "the end of the bundle");
      return { error, before, after: [...fixtures.finalizerCalls] };
    }),

  /** The finalizer of one of three restrictions fails, at a commit and at an abort: the error, and the calls. */
  failingFinalizer: () =>
    withRunner(async (runner) => {
      const restrictions = [sized("a"), sized("bad"), sized("b")];
      const { id } = await runner.run("read", [restrictions]);
      const request = { oneofKind: "finalizeBundle", finalizeBundle: { instructionId: id } } as const;
      const { error } = await runner.instruct(request).response;
      await runner.run("read", [[...restrictions, sized("fail")]]);
      await runner.until(() => fixtures.finalizerCalls.length === 7, "the aborts");
      return { error, calls: [...fixtures.finalizerCalls] };
    }),

  /** A step whose `bundleFailed` throws, before and after one whose does not: the steps that learn of the failure. */
  failingAbort: () =>
    withRunner(async (runner) => {
      fixtures.failedSteps.length = 0;
      const step = (name: string, throws: boolean): ReturnType<typeof bundleParDo<string, string>> =>
        bundleParDo(name, new fixtures.LearnsOfFailure(name, throws), stringCoder);
      await runner.describe("steps", (input) => pipe(input, step("a", true), step("b", false), step("c", true)));
      const { response } = await runner.run("steps", [["x", "fail"]]);
      return { error: response.error, steps: [...fixtures.failedSteps].sort() };
    }),

  /** Data that arrives after its bundle has failed, of 20 bundles, and of one that never starts: what the channel keeps. */
  dataOfFailedBundles: () =>
    withRunner(async (runner) => {
      for (let i = 0; i < 20; i++) {
        const { id, response } = runner.startBundle("read");
        await runner.send("read", id, [sized("fail")], true);
        await response;
        await runner.send("read", id, [sized("late")]);
      }
      const { id, response } = runner.startBundle("unknown");
      await response;
      await runner.send("read", id, [sized("late")]);
      await runner.run("read", [[sized("a")]]); // the data before has arrived
      return [...runner.worker.dataChannels.values()].map(openBundles);
    }),

  /** A processor that is used again, and one that has been idle for more than a minute: the number of teardowns. */
  idleProcessor: () =>
    withRunner(async (runner) => {
      const torn: string[] = [];
      await runner.describe("teardown", (input) =>
        pipe(
          input,
          withTeardown((id) => torn.push(id)),
        ),
      );
      await runner.run("teardown", [["a"]]);
      evictIdleProcessors(runner.worker, performance.now() + 59_000);
      await runner.run("teardown", [["a"]]);
      const before = torn.length;
      evictIdleProcessors(runner.worker, performance.now() + 61_000);
      const kept = [...runner.worker.bundleProcessors.values()].flat().length;
      const { output } = await runner.run("teardown", [["b"]]);
      return { before, after: torn.length, kept, output };
    }),

  /** Requests to a service: the labels and the value of each metric of the process. */
  processMetrics: () =>
    withRunner(async (runner) => {
      const request = { service: "BigQuery", method: "BigQueryBatchWrite", resource: "//t" };
      for (const status of ["ok", "503", "ok"]) countApiRequest({ ...request, status });
      const { response } = await runner.instruct({ oneofKind: "harnessMonitoringInfos", harnessMonitoringInfos: {} })
        .response;
      if (response.oneofKind !== "harnessMonitoringInfos") throw new Error("Another response");
      const { monitoringData } = response.harnessMonitoringInfos;
      const infos = await runner.instruct({
        oneofKind: "monitoringInfos",
        monitoringInfos: { monitoringInfoId: Object.keys(monitoringData) },
      }).response;
      if (infos.response.oneofKind !== "monitoringInfos") throw new Error("Another response");
      return Object.entries(infos.response.monitoringInfos.monitoringInfo).map(([id, { urn, labels }]) => [
        urn,
        labels["STATUS"],
        ...(monitoringData[id] ?? []),
      ]);
    }),

  /** Progress that is asked for while a step works through many elements: what is answered first. */
  progressOfBusyBundle: () =>
    withRunner(async (runner) => {
      await runner.describe("busy", (input) => pipe(input, testStep(BUSY_URN)));
      const answers: string[] = [];
      const { id, response } = runner.startBundle("busy");
      const asked = new Promise((resolve) => {
        onBusy = () => {
          const processBundleProgress = { instructionId: id };
          const progress = runner.instruct({ oneofKind: "processBundleProgress", processBundleProgress });
          void progress.response.then(() => resolve(answers.push("progress")));
        };
      });
      await runner.send("busy", id, ["a"], true);
      await Promise.all([response.then(() => answers.push("bundle")), asked]);
      return answers;
    }),

  /** Two workers of one process: the callbacks for the end of one of them, and what the other answers. */
  twoWorkers: () =>
    withRunner((first) =>
      withRunner(async (second) => {
        const gone: string[] = [];
        const removers = [first, second].map((runner, i) =>
          onWorkerGone(() => void gone.push(`worker ${i + 1}`), runner.worker),
        );
        first.endControl();
        await first.until(() => gone.length > 0, "the end of the worker");
        const { output } = await second.run("read", [[sized("a")]]);
        for (const remove of removers) remove();
        return { gone, output };
      }),
    ),

  /** Two bundles start together: the number of requests for their descriptor, and the error of a bundle without one. */
  descriptors: () =>
    withRunner(async (runner) => {
      await Promise.all([runner.run("plain", [texts(1)]), runner.run("plain", [texts(1)])]);
      const requests = runner.descriptorRequests;
      return { requests, error: (await runner.startBundle("unknown").response).error };
    }),

  /** The control stream breaks; "alive" when the process survives. */
  streamBreaks: () =>
    withRunner(async (runner) => {
      runner.breakControl();
      await new Promise((resolve) => setTimeout(resolve, 300));
      return "alive";
    }),
};
