/**
 * The operators of the SDK by URN. Their table is private to its module, but the closure transformer that the SDK was
 * compiled with exposes it.
 */
import operators = require("apache-beam/worker/operators");
import type { IOperator, OperatorContext } from "apache-beam/worker/operators";
import type { PTransform } from "apache-beam/proto/beam_runner_api";

export type OperatorConstructor = (id: string, transform: PTransform, context: OperatorContext) => IOperator;

interface WithClosure {
  __closure(): { operatorsByUrn: Map<string, OperatorConstructor> };
}

/** @throws Error when the SDK has no operator for the URN. */
export function sdkOperator(urn: string): OperatorConstructor {
  const found = (operators.createOperator as unknown as WithClosure).__closure().operatorsByUrn.get(urn);
  if (!found) throw new Error(`The SDK has no operator for ${urn}`);
  return found;
}

/**
 * What an operator may do beyond the SDK's interface; see the control repair for when each is called.
 */
export interface ExtendedOperator extends IOperator {
  /** A bundle with this operator is never split (a split inside one key would lose state updates). */
  readonly refusesSplits?: boolean;
  /** The work that is left, to be given to the runner with the answer. */
  takeResidualRoots?(): unknown[];
  /** What to do when the runner has made the bundle durable (`commit`), or will not (`abort`). */
  takeFinalizers?(): Finalizer[];
  /** The bundle fails: stop soon. */
  abort?(error: Error): void;
  /** Resolves when work that was under way when `abort` was called has ended. */
  settled?(): Promise<unknown>;
  /** The bundle has ended, after all operators finished (or any failed). */
  bundleEnded?(succeeded: boolean): void;
}

export interface Finalizer {
  commit(): void | Promise<void>;
  abort(): void;
}
