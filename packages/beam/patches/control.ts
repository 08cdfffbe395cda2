/**
 * Patches the control stream of the worker:
 * - The stream has no `error` listener: a runner that breaks it kills the Node process.
 * - Every instruction is logged with `console.log`.
 * - `monitoringInfos`, `harnessMonitoringInfos` and `finalizeBundle` are unknown; progress of a finished bundle throws.
 * - `residualRoots` and `requiresFinalization` are never reported, so a splittable DoFn cannot checkpoint itself.
 * - Bundles with user state accept splits.
 * - When a bundle fails, its operators keep running and its finalizers are never called.
 * - Bundle processors that are not used any more stay in memory.
 * - A worker that has lost its data or state stream stays, and fails every bundle.
 */
import * as grpc from "@grpc/grpc-js";
import * as fnApi from "apache-beam/proto/beam_fn_api";
import type { MonitoringInfo } from "apache-beam/proto/metrics";
import { BeamFnControlClient } from "apache-beam/proto/beam_fn_api.grpc-client";
import { Worker, type BundleProcessor } from "apache-beam/worker/worker";
import type { OperatorContext } from "apache-beam/worker/operators";
import { withTimeout } from "@eventlogger/process/wait";
import { endBundleData, failDataChannel } from "./dataChannel";
import { abortAll, PendingFinalizers } from "./finalizers";
import type { ExtendedOperator } from "./operators";
import { workerStats } from "./stats";
import { onStreamFailed } from "./streams";
import { processMetrics } from "../metrics/processMetrics";
import { reportFailure } from "../worker/counters";
import { log } from "../worker/log";

export { beforeFinalize } from "./finalizers";
export { workerStats } from "./stats";

/** A bundle processor that has been idle for this time is torn down, as in Beam's other SDKs; ms. */
const IDLE_LIMIT_MS = 60_000;
const CHECK_IDLE_EVERY_MS = 10_000;
/** A bundle that has failed waits for its running work at most for this time, ms. */
const SETTLE_LIMIT_MS = 30_000;
/** Time between the end of a data or state stream and the end of the worker, ms: its bundles report their errors. */
const ERRORS_BEFORE_END_MS = 100;

type Request = fnApi.InstructionRequest;
type Response = fnApi.InstructionResponse;

interface WorkerState {
  gone: boolean;
  readonly finalizers: PendingFinalizers;
  readonly fetches: Map<string, Promise<void>>;
  /** When each idle processor was used last; monotonic, ms. */
  readonly idleSince: Map<BundleProcessor, number>;
  readonly goneListeners: Set<GoneListener>;
}

const states = new WeakMap<Worker, WorkerState>();

type GoneListener = (error: Error) => void | Promise<void>;
const goneListeners = new Set<GoneListener>();

/**
 * Registers a callback for the end of a worker's control stream. The job attempt is over: sources nack the messages that
 * they hold, because no later checkpoint will contain them. A callback that fails is logged.
 * @param worker default: every worker of this process
 * @returns removes the callback
 */
export function onWorkerGone(listener: GoneListener, worker?: Worker): () => void {
  const listeners = worker ? stateOf(worker).goneListeners : goneListeners;
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function operatorsOf(processor: BundleProcessor): ExtendedOperator[] {
  return processor.topologicallyOrderedOperators;
}

/** Calls a method of each operator, also when one throws. */
async function forEachOperator(
  operators: readonly ExtendedOperator[],
  what: string,
  call: (operator: ExtendedOperator) => unknown,
): Promise<void> {
  const failed = (operator: ExtendedOperator, error: unknown): void =>
    log.error(`${what} of ${operator.transformId} failed: ${String(error)}`);
  const pending: unknown[] = [];
  for (const operator of operators) {
    try {
      const result = call(operator);
      if (result instanceof Promise) pending.push(result.catch((error: unknown) => failed(operator, error)));
    } catch (error) {
      failed(operator, error);
    }
  }
  await Promise.all(pending);
}

function abortOperators(operators: readonly ExtendedOperator[], error: Error): void {
  void forEachOperator(operators, "The abort", (operator) => operator.abort?.(error));
}

function tearDown(processor: BundleProcessor): void {
  void forEachOperator(operatorsOf(processor), "The teardown", (operator) => operator.teardown?.());
}

/** Tears down the processors that have not been used for a minute. @param now monotonic, ms */
export function evictIdleProcessors(worker: Worker, now = performance.now()): void {
  const { idleSince, finalizers } = stateOf(worker);
  finalizers.expire(now);
  for (const [id, processors] of worker.bundleProcessors) {
    const kept = processors.filter((processor) => now - (idleSince.get(processor) ?? now) <= IDLE_LIMIT_MS);
    for (const processor of processors) {
      if (kept.includes(processor)) continue;
      idleSince.delete(processor);
      tearDown(processor);
    }
    worker.bundleProcessors.set(id, kept);
  }
}

async function workerGone(worker: Worker, state: WorkerState, why: string): Promise<void> {
  if (state.gone) return;
  state.gone = true;
  const error = new Error(why);
  for (const processor of worker.activeBundleProcessors.values()) abortOperators(operatorsOf(processor), error);
  state.finalizers.abort();
  for (const channel of worker.dataChannels.values()) failDataChannel(channel, error);
  evictIdleProcessors(worker, Infinity);
  for (const listener of [...goneListeners, ...state.goneListeners]) {
    try {
      await listener(error);
    } catch (failure) {
      log.error(`A listener for the end of the control stream failed: ${String(failure)}`);
    }
  }
}

/** Stops a worker as if its runner had closed the control stream. Resolves when all listeners have run. */
export async function endWorker(worker: Worker, why: string): Promise<void> {
  await workerGone(worker, stateOf(worker), why);
  worker.stop();
}

function stateOf(worker: Worker): WorkerState {
  let state = states.get(worker);
  if (!state) {
    const created: WorkerState = {
      gone: false,
      finalizers: new PendingFinalizers(),
      fetches: new Map(),
      idleSince: new Map(),
      goneListeners: new Set(),
    };
    states.set(worker, (state = created));
    const timer = setInterval(() => evictIdleProcessors(worker), CHECK_IDLE_EVERY_MS);
    timer.unref();
    created.goneListeners.add(() => clearInterval(timer));
    worker.controlChannel.on("end", () => void workerGone(worker, created, "The control stream ended"));
    worker.controlChannel.on("close", () => void workerGone(worker, created, "The control stream was closed"));
    worker.controlChannel.on(
      "error",
      (e: Error) => void workerGone(worker, created, `The control stream broke: ${e.message}`),
    );
  }
  return state;
}

/** Detects the end of the control stream immediately, not at the next instruction. */
export function watchControlStream(worker: Worker): void {
  stateOf(worker);
}

/**
 * Ends a worker that has lost its data or state stream; its container or pool starts another one. Runners use the first
 * stream of a worker only. A runner that closes all streams at its own end ends the control stream in the meantime.
 */
function endWithoutStream(worker: Worker, error: Error): void {
  if (stateOf(worker).gone) return;
  log.warn(`The worker stops, because it has lost a stream: ${error.message}`);
  setTimeout(() => void endWorker(worker, `A data or state stream was lost: ${error.message}`), ERRORS_BEFORE_END_MS);
}

function respond(worker: Worker, instructionId: string, response: Response["response"], error = ""): void {
  if (!stateOf(worker).gone) worker.controlChannel.write({ instructionId, error, response });
}

function respondError(worker: Worker, instructionId: string, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  respond(worker, instructionId, { oneofKind: undefined }, text);
}

interface Metrics {
  monitoringInfos: MonitoringInfo[];
  monitoringData: { [key: string]: Uint8Array };
}

function metricsOf(worker: Worker, processor: BundleProcessor): Metrics {
  const data = processor.monitoringData(worker.metricsShortIdCache);
  return {
    monitoringInfos: [...data].map(([id, payload]) => worker.metricsShortIdCache.asMonitoringInfo(id, payload)),
    monitoringData: Object.fromEntries(data),
  };
}

function split(worker: Worker, request: fnApi.ProcessBundleSplitRequest): fnApi.ProcessBundleSplitResponse {
  const processor = worker.activeBundleProcessors.get(request.instructionId);
  if (!processor || operatorsOf(processor).some((o) => o.refusesSplits)) {
    workerStats.refusedSplits++;
    return fnApi.ProcessBundleSplitResponse.create({});
  }
  return processor.split(request);
}

function monitoringInfos(worker: Worker, ids: readonly string[]): { [key: string]: MonitoringInfo } {
  const found: { [key: string]: MonitoringInfo } = {};
  for (const id of ids) {
    const info = worker.metricsShortIdCache.asMonitoringInfo(id) as MonitoringInfo | undefined;
    if (info) found[id] = info;
  }
  return found;
}

/** Metrics of the process by short id. */
function harnessMonitoringData(worker: Worker): { [key: string]: Uint8Array } {
  const cells = processMetrics().map((cell) => {
    return [worker.metricsShortIdCache.getShortId(cell as never), cell.payload()] as const;
  });
  return Object.fromEntries(cells);
}

async function handleRequest(this: Worker, instruction: Request): Promise<void> {
  const { finalizers } = stateOf(this);
  const id = instruction.instructionId;
  const { request } = instruction;
  try {
    switch (request.oneofKind) {
      case "processBundle":
        await this.process(instruction);
        return;
      case "processBundleProgress": {
        const processor = this.activeBundleProcessors.get(request.processBundleProgress.instructionId);
        const processBundleProgress = processor
          ? metricsOf(this, processor)
          : { monitoringInfos: [], monitoringData: {} };
        respond(this, id, { oneofKind: "processBundleProgress", processBundleProgress });
        return;
      }
      case "processBundleSplit":
        respond(this, id, {
          oneofKind: "processBundleSplit",
          processBundleSplit: split(this, request.processBundleSplit),
        });
        return;
      case "finalizeBundle":
        await finalizers.finalize(request.finalizeBundle.instructionId);
        respond(this, id, { oneofKind: "finalizeBundle", finalizeBundle: {} });
        return;
      case "monitoringInfos":
        respond(this, id, {
          oneofKind: "monitoringInfos",
          monitoringInfos: { monitoringInfo: monitoringInfos(this, request.monitoringInfos.monitoringInfoId) },
        });
        return;
      case "harnessMonitoringInfos":
        respond(this, id, {
          oneofKind: "harnessMonitoringInfos",
          harnessMonitoringInfos: { monitoringData: harnessMonitoringData(this) },
        });
        return;
      case "register":
      case undefined:
        throw new Error(`Unknown instruction: ${String(request.oneofKind)}`);
    }
  } catch (error) {
    respondError(this, id, error);
  }
}

/** Errors of a bundle that the runner has given up. */
const RUNNER_GONE = /^(The (control|data|state) stream |Unknown process bundle instruction id )/;

const WINDOWED_VALUE = /^beam:coder:(param_)?windowed_value:v1$/;

/** Some runners wrap the coder of an element in a windowed value coder that the data does not use. The SDK also does this. */
function stripWindowedValueCoders(descriptor: fnApi.ProcessBundleDescriptor): void {
  for (const pcollection of Object.values(descriptor.pcollections)) {
    const coder = descriptor.coders[pcollection.coderId];
    if (coder && WINDOWED_VALUE.test(coder.spec?.urn ?? "")) pcollection.coderId = coder.componentCoderIds[0] as string;
  }
}

/** Fetches a descriptor once for all bundles that wait for it. */
function fetchDescriptor(worker: Worker, descriptorId: string): Promise<void> {
  const { fetches } = stateOf(worker);
  let fetching = fetches.get(descriptorId);
  if (!fetching) {
    fetching = new Promise<void>((resolve, reject) => {
      const metadata = new grpc.Metadata();
      metadata.add("worker_id", (worker as unknown as { id: string }).id);
      worker.controlClient.getProcessBundleDescriptor(
        { processBundleDescriptorId: descriptorId },
        metadata,
        (error, descriptor) => {
          if (error) return reject(error);
          stripWindowedValueCoders(descriptor as fnApi.ProcessBundleDescriptor);
          worker.processBundleDescriptors.set(descriptorId, descriptor as fnApi.ProcessBundleDescriptor);
          resolve();
        },
      );
    }).finally(() => fetches.delete(descriptorId));
    fetches.set(descriptorId, fetching);
  }
  return fetching;
}

/** The cache token for user state of the current bundle of each processor, by the record that its operators share. */
const cacheTokens = new WeakMap<object, string>();

/**
 * The token under which user state of the current bundle may stay cached after the bundle; undefined when it must not.
 * @param context of an operator
 */
export function userStateCacheToken({ loggingStageInfo }: OperatorContext): string | undefined {
  return cacheTokens.get(loggingStageInfo);
}

function rememberCacheToken({ loggingStageInfo }: BundleProcessor, request: fnApi.ProcessBundleRequest): void {
  cacheTokens.delete(loggingStageInfo);
  for (const token of request.cacheTokens) {
    if (token.type.oneofKind !== "userState") continue;
    cacheTokens.set(loggingStageInfo, Buffer.from(token.token).toString("base64"));
  }
}

/** Ends what a bundle that has failed leaves behind. Its error has been sent. */
async function cleanUp(processor: BundleProcessor): Promise<void> {
  const operators = operatorsOf(processor);
  const settled = forEachOperator(operators, "Work", (operator) => operator.settled?.());
  await withTimeout(settled, SETTLE_LIMIT_MS, "the work of a failed bundle").catch((error: unknown) => {
    log.error(`Work of a failed bundle goes on: ${String(error)}`);
  });
  await forEachOperator(operators, "The end of a failed bundle", (operator) => {
    abortAll(operator.takeFinalizers?.() ?? []);
    operator.takeResidualRoots?.();
  });
  await forEachOperator(operators, "The end of a failed bundle", (operator) => operator.bundleEnded?.(false));
  // The processor is not reused: its operators may be in any state.
  tearDown(processor);
}

async function processBundle(this: Worker, instruction: Request): Promise<void> {
  if (instruction.request.oneofKind !== "processBundle") throw new Error("Not a processBundle instruction");
  const id = instruction.instructionId;
  const request = instruction.request.processBundle;
  const descriptorId = request.processBundleDescriptorId;
  const state = stateOf(this);
  let processor: BundleProcessor | undefined;
  const end = (): void => {
    this.activeBundleProcessors.delete(id);
    endBundleData(this, id);
  };
  try {
    if (!this.processBundleDescriptors.has(descriptorId)) await fetchDescriptor(this, descriptorId);
    processor = this.aquireBundleProcessor(descriptorId);
    state.idleSince.delete(processor);
    rememberCacheToken(processor, request);
    this.activeBundleProcessors.set(id, processor);
    await processor.process(id);
    const operators = operatorsOf(processor);
    const residualRoots = operators.flatMap((o) => o.takeResidualRoots?.() ?? []) as fnApi.DelayedBundleApplication[];
    const finalizers = operators.flatMap((o) => o.takeFinalizers?.() ?? []);
    await forEachOperator(operators, "The end of a bundle", (operator) => operator.bundleEnded?.(true));
    workerStats.bundles++;
    if (state.gone) {
      end();
      abortAll(finalizers);
      tearDown(processor);
      return;
    }
    if (finalizers.length) state.finalizers.add(id, finalizers);
    respond(this, id, {
      oneofKind: "processBundle",
      processBundle: { residualRoots, requiresFinalization: finalizers.length > 0, ...metricsOf(this, processor) },
    });
    end();
    this.returnBundleProcessor(processor);
    state.idleSince.set(processor, performance.now());
  } catch (cause) {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    workerStats.failedBundles++;
    log.error(`Bundle ${id} of ${descriptorId} failed: ${error.stack ?? error.message}`);
    // A worker that ends, or whose job restarts, fails its bundles as well. Their errors would hide the cause.
    if (!state.gone && !RUNNER_GONE.test(error.message)) reportFailure({ what: "a bundle", error: error.message });
    end();
    if (processor) abortOperators(operatorsOf(processor), error);
    respondError(this, id, error);
    if (processor) await cleanUp(processor);
  }
}

/** Patch `control`. */
export function patchControl(): void {
  Worker.prototype.handleRequest = handleRequest;
  Worker.prototype.process = processBundle;
  onStreamFailed(endWithoutStream);
  type Control = typeof BeamFnControlClient.prototype.control;
  const control = BeamFnControlClient.prototype.control as (...args: unknown[]) => ReturnType<Control>;
  BeamFnControlClient.prototype.control = function (this: BeamFnControlClient, ...args: unknown[]) {
    const call = control.apply(this, args);
    call.on("error", (error: Error) => log.warn(`Control stream: ${error.message}`));
    return call;
  };
}
