/**
 * Access to the operators of the SDK. Their table is private to its module, but the closure transformer with which the
 * SDK was compiled exposes it.
 */
import operators = require("apache-beam/worker/operators");
import type { IOperator, OperatorContext } from "apache-beam/worker/operators";
import type { PTransform } from "apache-beam/proto/beam_runner_api";

/** Creates the operator of a transform. */
export type OperatorConstructor = (id: string, transform: PTransform, context: OperatorContext) => IOperator;

interface WithClosure {
  __closure(): { operatorsByUrn: Map<string, OperatorConstructor> };
}

/**
 * The constructor of the SDK's operator for a URN.
 * @throws Error when the SDK has no operator for the URN
 */
export function sdkOperator(urn: string): OperatorConstructor {
  const found = (operators.createOperator as unknown as WithClosure).__closure().operatorsByUrn.get(urn);
  if (!found) throw new Error(`The SDK has no operator for ${urn}`);
  return found;
}

/**
 * Further methods that an operator may have. The patch of the control stream calls them.
 */
export interface ExtendedOperator extends IOperator {
  /** Whether bundles with this operator must not be split: a split within a key would lose state updates. */
  readonly refusesSplits?: boolean;
  /**
   * Whether the operator reads values that do not fit into memory page by page (`LargeIterable`). For other operators they are
   * read whole, into an array, before the element is processed.
   */
  readonly readsLargeIterables?: boolean;
  /** Whether `process` only queues elements: what calls the DoFn later enters the step itself (`runAsStep`). */
  readonly onlyQueues?: boolean;
  /** Returns and removes the residuals, which are sent to the runner with the response of the bundle. */
  takeResidualRoots?(): unknown[];
  /** Returns and removes the finalizers of the bundle. */
  takeFinalizers?(): Finalizer[];
  /** Called when the bundle fails: stop soon. */
  abort?(error: Error): void;
  /** Resolves when the work that was running when `abort` was called has ended. It is awaited for at most 30 s. */
  settled?(): Promise<unknown>;
  /** Called once at the end of a bundle: after all operators have finished, or one has failed. */
  bundleEnded?(succeeded: boolean): void;
  /**
   * Called once when the operator is not used any more: after a bundle has failed, after a minute without bundles, and when the
   * worker stops. Never while a bundle is processed. An error is logged.
   */
  teardown?(): void | Promise<void>;
}

/** Longest time that work may hold the event loop, ms: runners ask for progress and splits, and streams have keep-alives. */
const MAX_TURN_MS = 50;
let turnStart = 0;

/**
 * Whether synchronous work that goes on should call {@link yieldToEventLoop} now. An operator that works through many
 * elements in one call asks after each of them: `if (shouldYield()) await yieldToEventLoop();`. One call costs about 50 ns.
 */
export function shouldYield(): boolean {
  return performance.now() - turnStart > MAX_TURN_MS;
}

/** Lets the event loop handle what waits: instructions of the runner, messages of streams, timers. */
export async function yieldToEventLoop(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  turnStart = performance.now();
}

/** Learns whether a bundle became durable. Exactly one of its methods is called, once. */
export interface Finalizer {
  /**
   * The runner reports that the bundle is durable. A rejection fails the runner's request.
   * @param checkpoint number of the newest complete checkpoint of the runner after it reported this bundle; undefined when
   *   the runner keeps no record of its checkpoints
   */
  commit(checkpoint: number | undefined): void | Promise<void>;
  /** The bundle failed, or its worker stopped before the runner reported that it is durable. */
  abort(): void;
}
