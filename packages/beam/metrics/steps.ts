/**
 * Which step of which bundle is executing, and for how long.
 *
 * Synchronous code: the step is in a variable, which the receivers set around each call of an operator. Code after an
 * `await`: the step is in an AsyncLocalStorage, which the operators of asynchronous DoFns enter ({@link inCurrentStep}).
 * Entering it costs about 50 ns, so that synchronous operators do not.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { clockNow, msBetween } from "./clock";
import { DistributionCell, LatestCell, SumCell, type MetricCell } from "./cells";

const URN = {
  counter: "beam:metric:user:sum_int64:v1",
  distribution: "beam:metric:user:distribution_int64:v1",
  gauge: "beam:metric:user:latest_int64:v1",
  totalMs: "beam:metric:ptransform_execution_time:total_msecs:v1",
  readIndex: "beam:metric:data_channel:read_index:v1",
} as const;

/** What a step does. */
export type Phase = "start_bundle" | "process_bundle" | "finish_bundle";

/** A step in one phase, with the time that the current bundle has spent in it. */
export class ExecutionState {
  ms = 0;
  constructor(
    readonly step: Step,
    readonly phase: Phase,
  ) {}
}

/** The cells of a bundle processor by their keys: those of the SDK's metrics container. */
export type Cells = Map<string, MetricCell>;

/** A step of a bundle processor. Its metrics are those of the current bundle. */
export class Step {
  readonly states = {
    start: new ExecutionState(this, "start_bundle"),
    process: new ExecutionState(this, "process_bundle"),
    finish: new ExecutionState(this, "finish_bundle"),
  };
  private readonly own = new Map<string, MetricCell>();

  /**
   * @param transformId id in the descriptor of the bundle: what runners know the step by
   * @param name the name that the author of the pipeline gave it
   */
  constructor(
    readonly transformId: string,
    readonly name: string,
    private readonly cells: Cells,
  ) {}

  private cell<C extends MetricCell>(
    create: new (urn: string, labels: Record<string, string>) => C,
    urn: string,
    namespace?: string,
    name?: string,
  ): C {
    const key = `${urn} ${namespace} ${name}`;
    let cell = this.own.get(key);
    if (!cell) {
      const labels: Record<string, string> = { PTRANSFORM: this.transformId };
      if (namespace !== undefined && name !== undefined) Object.assign(labels, { NAMESPACE: namespace, NAME: name });
      cell = new create(urn, labels);
      this.own.set(key, cell);
      this.cells.set(cell.key, cell);
    }
    return cell as C;
  }

  counter(namespace: string, name: string): SumCell {
    return this.cell(SumCell, URN.counter, namespace, name);
  }
  distribution(namespace: string, name: string): DistributionCell {
    return this.cell(DistributionCell, URN.distribution, namespace, name);
  }
  gauge(namespace: string, name: string): LatestCell {
    return this.cell(LatestCell, URN.gauge, namespace, name);
  }

  /** Puts the execution times of the bundle so far into the metrics. */
  reportTimes(): void {
    let total = 0;
    for (const { phase, ms } of Object.values(this.states)) {
      if (ms) this.cell(SumCell, `beam:metric:pardo_execution_time:${phase}_msecs:v1`).replace(ms);
      total += ms;
    }
    if (total) this.cell(SumCell, URN.totalMs).replace(total);
  }

  /** Puts the index of the element that the step has read last into the metrics; -1: none. */
  reportReadIndex(index: number): void {
    if (index >= 0) this.cell(SumCell, URN.readIndex).replace(index);
  }
}

let current: Step | undefined;
const storage = new AsyncLocalStorage<Step>();

/** The step whose code is executing; undefined outside of bundles. */
export function currentStep(): Step | undefined {
  return current ?? storage.getStore();
}

/** Sets the step of the synchronous code that follows. @returns the step to which {@link leaveStep} returns */
export function enterStep(step: Step): Step | undefined {
  const outer = current;
  current = step;
  return outer;
}

/** Ends what {@link enterStep} began. */
export function leaveStep(outer: Step | undefined): void {
  current = outer;
}

/** Runs code of a step; its metrics are those of the step also after awaits. */
export function inStep<T>(step: Step, run: () => T): T {
  const outer = enterStep(step);
  try {
    return storage.run(step, run);
  } finally {
    leaveStep(outer);
  }
}

/**
 * Runs code of the step that is executing; its metrics are those of the step also after awaits. An operator calls an
 * asynchronous DoFn in it, also one that it calls after an await of its own.
 * @param run called immediately
 */
export function inCurrentStep<T>(run: () => T): T {
  const step = currentStep();
  return step ? inStep(step, run) : run();
}

/** The execution times of a bundle processor: what its current bundle is doing, and since when. */
export class BundleTimes {
  /** What the bundle is doing; undefined while it waits for data. */
  state: ExecutionState | undefined;
  /** Number of calls of operators in all bundles: does not change while a step hangs. */
  transitions = 0;
  private since = clockNow();

  /** The time since the last transition belongs to the state that is left. */
  enter(state: ExecutionState | undefined): void {
    this.transitions++;
    const now = clockNow();
    if (now !== this.since) {
      if (this.state) this.state.ms += msBetween(this.since, now);
      this.since = now;
    }
    this.state = state;
  }

  /** Adds the time until now to the current state. */
  flush(): void {
    this.enter(this.state);
    this.transitions--;
  }

  reset(steps: Iterable<Step>): void {
    this.enter(undefined);
    for (const { states } of steps) {
      for (const state of Object.values(states)) state.ms = 0;
    }
  }
}
