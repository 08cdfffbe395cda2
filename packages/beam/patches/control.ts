/**
 * Patches the control stream of the worker:
 * - The stream has no `error` listener: a runner that breaks it kills the Node process.
 * - Every instruction is logged with `console.log`.
 * - `monitoringInfos`, `harnessMonitoringInfos` and `finalizeBundle` are unknown; progress of a finished bundle throws.
 * - `residualRoots` and `requiresFinalization` are never reported, so a splittable DoFn cannot checkpoint itself.
 * - Bundles with user state accept splits.
 * - When a bundle fails, its operators keep running and its finalizers are never called.
 */
import * as grpc from "@grpc/grpc-js";
import * as fnApi from "apache-beam/proto/beam_fn_api";
import type { MonitoringInfo } from "apache-beam/proto/metrics";
import { BeamFnControlClient } from "apache-beam/proto/beam_fn_api.grpc-client";
import { Worker, type BundleProcessor } from "apache-beam/worker/worker";
import { endBundleData, failDataChannel } from "./dataChannel";
import type { ExtendedOperator, Finalizer } from "./operators";
import { reportFailure } from "../worker/counters";
import { log } from "../worker/log";

/** Finalizers that wait longer than this are aborted: runners drop the oldest ones when too many wait. */
const FINALIZER_TTL_MS = 10 * 60_000;

type Request = fnApi.InstructionRequest;
type Response = fnApi.InstructionResponse;

interface PendingFinalizers {
  /** By the monotonic clock; ms. */
  readonly since: number;
  readonly finalizers: readonly Finalizer[];
}

interface WorkerState {
  gone: boolean;
  readonly pending: Map<string, PendingFinalizers>;
  readonly fetches: Map<string, Promise<void>>;
}

const states = new WeakMap<Worker, WorkerState>();

/** Counters of this process. */
export const workerStats = { bundles: 0, failedBundles: 0, finalized: 0, abortedFinalizers: 0, refusedSplits: 0 };

type GoneListener = (error: Error) => void | Promise<void>;
const goneListeners = new Set<GoneListener>();

/**
 * Registers a callback for the end of a worker's control stream. The job attempt is over: sources nack the messages that
 * they hold, because no later checkpoint will contain them. A callback that fails is logged.
 */
export function onWorkerGone(listener: GoneListener): void {
  goneListeners.add(listener);
}

type BeforeFinalize = () => Promise<number | undefined>;
const beforeFinalizeListeners = new Set<BeforeFinalize>();

/**
 * Registers a listener that runs before the finalizers of each bundle. It may resolve with the number of the newest complete
 * checkpoint, which the finalizers receive. When it rejects, the finalizers are aborted, so that their messages are
 * redelivered, and the runner gets the error.
 * @returns removes the listener
 */
export function beforeFinalize(listener: BeforeFinalize): () => void {
  beforeFinalizeListeners.add(listener);
  return () => void beforeFinalizeListeners.delete(listener);
}

function operatorsOf(processor: BundleProcessor): ExtendedOperator[] {
  return processor.topologicallyOrderedOperators;
}

function abortAll(finalizers: readonly Finalizer[]): void {
  for (const f of finalizers) {
    workerStats.abortedFinalizers++;
    f.abort();
  }
}

async function workerGone(worker: Worker, state: WorkerState, why: string): Promise<void> {
  if (state.gone) return;
  state.gone = true;
  const error = new Error(why);
  for (const processor of worker.activeBundleProcessors.values()) {
    for (const operator of operatorsOf(processor)) operator.abort?.(error);
  }
  for (const { finalizers } of state.pending.values()) abortAll(finalizers);
  state.pending.clear();
  for (const channel of worker.dataChannels.values()) failDataChannel(channel, error);
  for (const listener of goneListeners) {
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
    const created: WorkerState = { gone: false, pending: new Map(), fetches: new Map() };
    states.set(worker, (state = created));
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

async function finalize(worker: Worker, instructionId: string): Promise<void> {
  const { pending } = stateOf(worker);
  const entry = pending.get(instructionId);
  if (!entry) return;
  let checkpoint: number | undefined;
  try {
    for (const listener of beforeFinalizeListeners) checkpoint = (await listener()) ?? checkpoint;
  } catch (error) {
    log.error(`Bundle ${instructionId} is not finalized: ${String(error)}`);
    reportFailure({ what: "recording a checkpoint", error: String(error) });
    if (pending.delete(instructionId)) abortAll(entry.finalizers);
    throw error;
  }
  if (!pending.delete(instructionId)) return; // aborted in the meantime: the control stream has ended
  for (const f of entry.finalizers) {
    workerStats.finalized++;
    await f.commit(checkpoint);
  }
}

function monitoringInfos(worker: Worker, ids: readonly string[]): { [key: string]: MonitoringInfo } {
  const found: { [key: string]: MonitoringInfo } = {};
  for (const id of ids) {
    const info = worker.metricsShortIdCache.asMonitoringInfo(id) as MonitoringInfo | undefined;
    if (info) found[id] = info;
  }
  return found;
}

async function handleRequest(this: Worker, instruction: Request): Promise<void> {
  stateOf(this);
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
        await finalize(this, request.finalizeBundle.instructionId);
        respond(this, id, { oneofKind: "finalizeBundle", finalizeBundle: {} });
        return;
      case "monitoringInfos":
        respond(this, id, {
          oneofKind: "monitoringInfos",
          monitoringInfos: { monitoringInfo: monitoringInfos(this, request.monitoringInfos.monitoringInfoId) },
        });
        return;
      case "harnessMonitoringInfos":
        respond(this, id, { oneofKind: "harnessMonitoringInfos", harnessMonitoringInfos: { monitoringData: {} } });
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

/** The cache token for user state of each running bundle; a bundle without a token has no entry. */
const cacheTokens = new Map<string, string>();

/** The token under which user state of a bundle may stay cached after the bundle; undefined when it must not. */
export function userStateCacheToken(instructionId: string): string | undefined {
  return cacheTokens.get(instructionId);
}

function rememberCacheToken(id: string, request: fnApi.ProcessBundleRequest): void {
  for (const token of request.cacheTokens) {
    if (token.type.oneofKind === "userState") cacheTokens.set(id, Buffer.from(token.token).toString("base64"));
  }
}

async function failBundle(processor: BundleProcessor, error: Error): Promise<void> {
  const operators = operatorsOf(processor);
  for (const o of operators) o.abort?.(error);
  for (const o of operators) await o.settled?.();
  for (const o of operators) {
    abortAll(o.takeFinalizers?.() ?? []);
    o.takeResidualRoots?.();
    o.bundleEnded?.(false);
  }
}

function expireFinalizers(state: WorkerState, now: number): void {
  for (const [id, entry] of state.pending) {
    if (now - entry.since <= FINALIZER_TTL_MS) break; // a Map keeps the order of insertion
    state.pending.delete(id);
    abortAll(entry.finalizers);
  }
}

async function processBundle(this: Worker, instruction: Request): Promise<void> {
  if (instruction.request.oneofKind !== "processBundle") throw new Error("Not a processBundle instruction");
  const id = instruction.instructionId;
  const request = instruction.request.processBundle;
  const descriptorId = request.processBundleDescriptorId;
  const state = stateOf(this);
  let processor: BundleProcessor | undefined;
  try {
    if (!this.processBundleDescriptors.has(descriptorId)) await fetchDescriptor(this, descriptorId);
    rememberCacheToken(id, request);
    processor = this.aquireBundleProcessor(descriptorId);
    this.activeBundleProcessors.set(id, processor);
    await processor.process(id);
    const operators = operatorsOf(processor);
    const residualRoots = operators.flatMap((o) => o.takeResidualRoots?.() ?? []) as fnApi.DelayedBundleApplication[];
    const finalizers = operators.flatMap((o) => o.takeFinalizers?.() ?? []);
    for (const o of operators) o.bundleEnded?.(true);
    workerStats.bundles++;
    if (state.gone) {
      abortAll(finalizers);
      return;
    }
    if (finalizers.length) {
      const now = performance.now();
      expireFinalizers(state, now);
      state.pending.set(id, { since: now, finalizers });
    }
    respond(this, id, {
      oneofKind: "processBundle",
      processBundle: { residualRoots, requiresFinalization: finalizers.length > 0, ...metricsOf(this, processor) },
    });
    this.returnBundleProcessor(processor);
  } catch (cause) {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    workerStats.failedBundles++;
    log.error(`Bundle ${id} of ${descriptorId} failed: ${error.stack ?? error.message}`);
    // A worker that ends, or whose job restarts, fails its bundles as well. Their errors would hide the cause.
    if (!state.gone && !RUNNER_GONE.test(error.message)) reportFailure({ what: "a bundle", error: error.message });
    // The processor is not reused: its operators may be in any state.
    if (processor) await failBundle(processor, error);
    respondError(this, id, error);
  } finally {
    this.activeBundleProcessors.delete(id);
    cacheTokens.delete(id);
    endBundleData(this, id);
  }
}

/** Patch `control`. */
export function patchControl(): void {
  Worker.prototype.handleRequest = handleRequest;
  Worker.prototype.process = processBundle;
  type Control = typeof BeamFnControlClient.prototype.control;
  const control = BeamFnControlClient.prototype.control as (...args: unknown[]) => ReturnType<Control>;
  BeamFnControlClient.prototype.control = function (this: BeamFnControlClient, ...args: unknown[]) {
    const call = control.apply(this, args);
    call.on("error", (error: Error) => log.warn(`Control stream: ${error.message}`));
    return call;
  };
}
