/**
 * Metrics of DoFns, which runners collect and show: Dataflow in its job page, Flink in its metrics and accumulators.
 *
 * Create a metric once, at the top of a module, and use it in a DoFn while a bundle is processed. It belongs to the step that
 * is executing, also after an `await`. Outside of a bundle it does nothing. The values of a bundle that fails do not count.
 */
import { currentStep, type Step } from "./steps";
import type { DistributionCell, LatestCell, SumCell } from "./cells";

/** The namespace of metrics without one. */
export const DEFAULT_NAMESPACE = "user";

/** Counts; runners show the sum over all bundles. */
export interface Counter {
  /** @throws RangeError when `n` is not an integer */
  inc(n?: number): void;
  /** @throws RangeError when `n` is not an integer */
  dec(n?: number): void;
}

/** Collects values; runners show their count, sum, minimum and maximum over all bundles. */
export interface Distribution {
  /** @throws RangeError when `value` is not an integer */
  update(value: number): void;
}

/** A value that is replaced; runners show the newest one. */
export interface Gauge {
  /** @throws RangeError when `value` is not an integer */
  set(value: number): void;
}

/** A metric that remembers the cell of the last step, because one step uses it many times. */
class OfCurrentStep<C> {
  private step: Step | undefined;
  private last: C | undefined;
  constructor(private readonly cellOf: (step: Step) => C) {}

  get cell(): C | undefined {
    const step = currentStep();
    if (step !== this.step) {
      this.step = step;
      this.last = step && this.cellOf(step);
    }
    return this.last;
  }
}

/** A counter with this name, in the step that is executing. */
export function counter(name: string, namespace = DEFAULT_NAMESPACE): Counter {
  const metric = new OfCurrentStep<SumCell>((step) => step.counter(namespace, name));
  return {
    inc: (n = 1) => metric.cell?.add(n),
    dec: (n = 1) => metric.cell?.add(-n),
  };
}

/** A distribution with this name, in the step that is executing. */
export function distribution(name: string, namespace = DEFAULT_NAMESPACE): Distribution {
  const metric = new OfCurrentStep<DistributionCell>((step) => step.distribution(namespace, name));
  return { update: (value) => metric.cell?.update(value) };
}

/** A gauge with this name, in the step that is executing. */
export function gauge(name: string, namespace = DEFAULT_NAMESPACE): Gauge {
  const metric = new OfCurrentStep<LatestCell>((step) => step.gauge(namespace, name));
  return { set: (value) => metric.cell?.set(value) };
}
