/**
 * Patches the metrics of the worker:
 * - The SDK clears only a flag between bundles, and runners add what each bundle reports: counters and element counts of
 *   bundle n contain those of the bundles 1 to n-1.
 * - The label of the step is `TRANSFORM` instead of `PTRANSFORM`, so that runners drop every user metric, and the namespace
 *   is empty. Distributions have a length in front, which other SDKs and runners read as their count.
 * - Execution times, sizes of elements and the read index are not reported. The patch measures them, and knows which step
 *   is executing, for the metrics of DoFns and for logs.
 */
import { FullWindowedValueCoder } from "apache-beam/coders/required_coders";
import { Context, type Coder } from "apache-beam/coders/coders";
import { PipelineContext } from "apache-beam/internal/pipeline";
import type { MonitoringInfo } from "apache-beam/proto/metrics";
import type { WindowedValue } from "apache-beam/values";
import { loggingLocalStorage, type LoggingStageInfo } from "apache-beam/worker/logging";
import { MetricsContainer } from "apache-beam/worker/metrics";
import {
  DataSourceOperator,
  NonPromise,
  Receiver,
  type IOperator,
  type OperatorContext,
  type ProcessResult,
} from "apache-beam/worker/operators";
import { BundleProcessor } from "apache-beam/worker/worker";
import { ByteSizeSampler, isMeasurable, measuring } from "../metrics/byteSize";
import { decodeInt64, DistributionCell, encodeInt64 } from "../metrics/cells";
import { startClock } from "../metrics/clock";
import { LULL_MS } from "../metrics/lulls";
import { BundleTimes, enterStep, inStep, leaveStep, Step, type Cells, type ExecutionState } from "../metrics/steps";
import { DEFAULT_NAMESPACE } from "../metrics/userMetrics";
import type { ExtendedOperator } from "./operators";

const BYTE_SIZE_URN = "beam:metric:sampled_byte_size:v1";

/** Operators of the SDK that call no code after an await. Others enter the asynchronous context of their step. */
const SYNCHRONOUS = new Set([
  "AssignTimestampsParDoOperator",
  "AssignWindowsParDoOperator",
  "CombinePerKeyCombineGroupedValuesOperator",
  "CombinePerKeyConvertToAccumulatorsOperator",
  "CombinePerKeyExtractOutputsOperator",
  "CombinePerKeyMergeAccumulatorsOperator",
  "CombinePerKeyPrecombineOperator",
  "DataSinkOperator",
  "FlattenOperator",
  "GenericParDoOperator",
  "IdentityParDoOperator",
  "SplittingDoFnOperator",
]);

/** Side inputs of the SDK's ParDo are awaited before its DoFn is called. */
type MaybeWithSideInputs = ExtendedOperator & { readonly sideInputInfo?: ReadonlyMap<string, unknown> };

/** What a bundle processor knows of its steps. */
export class ProcessorSteps {
  readonly times = new BundleTimes();
  private readonly steps = new Map<string, Step>();
  private readonly samplers = new Map<string, { sampler: ByteSizeSampler; coder: Coder<unknown> } | undefined>();
  private context: PipelineContext | undefined;

  constructor(private readonly processor: BundleProcessor) {
    startClock(LULL_MS);
  }

  get cells(): Cells {
    return this.processor.metricsContainer.metrics as unknown as Cells;
  }
  step(transformId: string): Step {
    let step = this.steps.get(transformId);
    if (!step) {
      const name = this.processor.descriptor.transforms[transformId]?.uniqueName ?? transformId;
      this.steps.set(transformId, (step = new Step(transformId, name, this.cells)));
    }
    return step;
  }
  values(): Iterable<Step> {
    return this.steps.values();
  }

  /** What measures the elements of a collection; undefined: they cannot be measured. */
  sampler(pcollectionId: string): { sampler: ByteSizeSampler; coder: Coder<unknown> } | undefined {
    if (this.samplers.has(pcollectionId)) return this.samplers.get(pcollectionId);
    const { descriptor } = this.processor;
    // The SDK's direct runner describes only a part of the collections.
    const coderId = descriptor.pcollections[pcollectionId]?.coderId;
    let found: { sampler: ByteSizeSampler; coder: Coder<unknown> } | undefined;
    if (coderId !== undefined && isMeasurable(descriptor, coderId)) {
      try {
        this.context ??= new PipelineContext(descriptor, "");
        found = { sampler: this.newSampler(pcollectionId), coder: this.context.getCoder(coderId) };
      } catch {
        // A coder that only the runner knows.
      }
    }
    this.samplers.set(pcollectionId, found);
    return found;
  }

  private newSampler(pcollectionId: string): ByteSizeSampler {
    const cell = new DistributionCell(BYTE_SIZE_URN, { PCOLLECTION: pcollectionId });
    this.cells.set(cell.key, cell);
    return new ByteSizeSampler(cell);
  }

  /** Measures what the sources decode, whatever it is; it need not be encoded again. */
  measureSources(): void {
    for (const operator of this.processor.topologicallyOrderedOperators) {
      if (!(operator instanceof DataSourceOperator) || !(operator.coder instanceof FullWindowedValueCoder)) continue;
      const [pcollectionId] = Object.values(this.processor.descriptor.transforms[operator.transformId]?.outputs ?? {});
      if (pcollectionId === undefined) continue;
      const { elementCoder, windowCoder } = operator.coder as FullWindowedValueCoder<unknown, never>;
      const sampler = this.newSampler(pcollectionId);
      operator.coder = new FullWindowedValueCoder(measuring(elementCoder, sampler), windowCoder);
      this.samplers.set(pcollectionId, undefined);
    }
  }

  /** Brings the metrics of the current bundle up to date. */
  report(): void {
    this.times.flush();
    for (const step of this.steps.values()) step.reportTimes();
    for (const operator of this.processor.topologicallyOrderedOperators) {
      if (operator instanceof DataSourceOperator)
        this.step(operator.transformId).reportReadIndex(operator.lastProcessedElement ?? -1);
    }
  }
}

/** By the record for logs, which all operators and receivers of a processor share. */
const byStageInfo = new WeakMap<LoggingStageInfo, ProcessorSteps>();

/** The steps of a bundle processor. */
export function stepsOf(processor: BundleProcessor): ProcessorSteps {
  let steps = byStageInfo.get(processor.loggingStageInfo);
  if (!steps) {
    byStageInfo.set(processor.loggingStageInfo, (steps = new ProcessorSteps(processor)));
    steps.measureSources();
  }
  return steps;
}

interface Target {
  readonly operator: IOperator;
  readonly step: Step;
  readonly state: ExecutionState;
  /** Whether the operator calls code after an await. */
  readonly isAsynchronous: boolean;
}

/** Private members of the SDK's receiver, and those that the patch adds. */
interface PatchedReceiver {
  readonly operators: readonly IOperator[];
  readonly loggingStageInfo: LoggingStageInfo;
  readonly elementCounter: { update(n: number): void; readonly pcollectionId?: string };
  targets?: readonly Target[];
  times?: BundleTimes;
  size?: { readonly sampler: ByteSizeSampler; readonly coder: Coder<unknown> } | undefined;
}

function isAsynchronous(operator: MaybeWithSideInputs): boolean {
  if (operator.onlyQueues) return false;
  return !SYNCHRONOUS.has(operator.constructor.name) || (operator.sideInputInfo?.size ?? 0) > 0;
}

function prepare(receiver: PatchedReceiver): readonly Target[] {
  const steps = byStageInfo.get(receiver.loggingStageInfo);
  if (!steps) throw new Error("An element arrived before its bundle was started");
  receiver.times = steps.times;
  receiver.size = steps.sampler(receiver.elementCounter.pcollectionId as string);
  receiver.targets = receiver.operators.map((operator) => {
    const step = steps.step(operator.transformId);
    return { operator, step, state: step.states.process, isAsynchronous: isAsynchronous(operator) };
  });
  return receiver.targets;
}

function deliver(target: Target, element: WindowedValue<unknown>, info: LoggingStageInfo, times: BundleTimes) {
  const { operator, step, state } = target;
  const { transformId } = info;
  const outerState = times.state;
  const outer = enterStep(step);
  info.transformId = step.transformId;
  times.enter(state);
  let result: ProcessResult = NonPromise;
  try {
    result = target.isAsynchronous ? inStep(step, () => operator.process(element)) : operator.process(element);
  } finally {
    leaveStep(outer);
    info.transformId = transformId;
    if (!result) times.enter(outerState);
  }
  if (result) leaveLater(result, times, state, outerState);
  return result;
}

/** The time until a promise is settled is time of its step, unless the bundle does something else in the meantime. */
function leaveLater(
  result: Promise<void>,
  times: BundleTimes,
  state: ExecutionState,
  outerState: ExecutionState | undefined,
): void {
  const left = (): void => {
    if (times.state === state) times.enter(outerState);
  };
  result.then(left, left);
}

function receive(this: PatchedReceiver, element: WindowedValue<unknown>): ProcessResult {
  const targets = this.targets ?? prepare(this);
  this.elementCounter.update(1);
  if (this.size?.sampler.isNext()) {
    const { sampler, coder } = this.size;
    sampler.measure((writer) => void coder.encode(element.value, writer, Context.needsDelimiters));
  }
  const times = this.times as BundleTimes;
  if (targets.length === 1) return deliver(targets[0] as Target, element, this.loggingStageInfo, times);
  const pending: Promise<void>[] = [];
  for (const target of targets) {
    const result = deliver(target, element, this.loggingStageInfo, times);
    if (result) pending.push(result);
  }
  return pending.length ? Promise.all(pending).then(() => undefined) : NonPromise;
}

/**
 * Runs code of a step that is not called for an element, such as the handler of a timer: its metrics and its time are those of
 * the step.
 * @param context of the operator
 */
export function runAsStep(
  { loggingStageInfo }: OperatorContext,
  transformId: string,
  run: () => void | Promise<void>,
): void | Promise<void> {
  const steps = byStageInfo.get(loggingStageInfo);
  if (!steps) return run();
  const { times } = steps;
  const step = steps.step(transformId);
  const outerState = times.state;
  times.enter(step.states.process);
  let result: void | Promise<void> = undefined;
  try {
    result = inStep(step, run);
  } finally {
    if (!result) times.enter(outerState);
  }
  if (result) leaveLater(result, times, step.states.process, outerState);
  return result;
}

/** Runs a phase of an operator, and counts its time. A source that waits for data does nothing. */
async function runPhase(
  { times }: ProcessorSteps,
  state: ExecutionState,
  operator: IOperator,
  run: () => Promise<void>,
): Promise<void> {
  times.enter(operator instanceof DataSourceOperator ? undefined : state);
  await inStep(state.step, run);
  times.enter(undefined);
}

async function processBundle(this: BundleProcessor, instructionId: string): Promise<void> {
  const steps = stepsOf(this);
  this.metricsContainer.reset();
  steps.times.reset(steps.values());
  const info = this.loggingStageInfo;
  this.currentBundleId = instructionId;
  info.instructionId = instructionId;
  loggingLocalStorage.enterWith(info);
  // The last operators first: a source may deliver elements as soon as it has started.
  for (const operator of [...this.topologicallyOrderedOperators].reverse()) {
    info.transformId = operator.transformId;
    const { start } = steps.step(operator.transformId).states;
    await runPhase(steps, start, operator, () => operator.startBundle());
  }
  for (const operator of this.topologicallyOrderedOperators) {
    info.transformId = operator.transformId;
    const { finish } = steps.step(operator.transformId).states;
    await runPhase(steps, finish, operator, () => operator.finishBundle());
  }
  info.transformId = undefined;
  info.instructionId = undefined;
  this.currentBundleId = undefined;
  this.stateProvider = undefined;
}

/** Members of the SDK's cells, whose classes it does not export. */
interface SdkCell {
  is_set: boolean;
  readonly value: { reset(): void };
  readonly name?: string;
  readonly transformId?: string;
  readonly pcollectionId?: string;
}
interface SdkDistribution {
  count: number;
  sum: number;
  min: number;
  max: number;
}

function patchCells(): void {
  const cell = new MetricsContainer().getMetric("step", undefined, {
    metricType: "beam:metric:user:distribution_int64:v1",
    name: "name",
  });
  const cells = Object.getPrototypeOf(cell) as { reset(): void; toEmptyMonitoringInfo(): MonitoringInfo };
  cells.reset = function (this: SdkCell) {
    this.is_set = false;
    this.value.reset();
  };
  const { toEmptyMonitoringInfo } = cells;
  cells.toEmptyMonitoringInfo = function (this: SdkCell & typeof cells) {
    const info = toEmptyMonitoringInfo.call(this);
    const labels: Record<string, string> = {};
    if (this.name) Object.assign(labels, { NAMESPACE: DEFAULT_NAMESPACE, NAME: this.name });
    if (this.transformId) labels["PTRANSFORM"] = this.transformId;
    if (this.pcollectionId) labels["PCOLLECTION"] = this.pcollectionId;
    return { ...info, labels };
  };
  const distributions = Object.getPrototypeOf(cell.value) as {
    payload(): Uint8Array;
    loadFromPayload(payload: Uint8Array): void;
  };
  distributions.payload = function (this: SdkDistribution) {
    return encodeInt64(this.count, this.sum, this.min, this.max);
  };
  distributions.loadFromPayload = function (this: SdkDistribution, payload) {
    [this.count = 0, this.sum = 0, this.min = 0, this.max = 0] = decodeInt64(payload);
  };
}

/** Patch `metrics`. */
export function patchMetrics(): void {
  patchCells();
  (Receiver.prototype as unknown as { receive: typeof receive }).receive = receive;
  BundleProcessor.prototype.process = processBundle;
  const { monitoringData } = BundleProcessor.prototype;
  BundleProcessor.prototype.monitoringData = function (shortIds) {
    stepsOf(this).report();
    return monitoringData.call(this, shortIds);
  };
}
