/** Calls `teardown` of operators that are not used again. */
import type { Worker } from "apache-beam/worker/worker";
import type { ExtendedOperator } from "./operators";
import { log } from "../worker/log";

/** Tears down the operators of a bundle processor that is dropped. A failure is logged: the bundle has ended. */
export async function tearDown(operators: readonly ExtendedOperator[]): Promise<void> {
  for (const operator of operators) {
    try {
      await operator.teardown?.();
    } catch (error) {
      log.error(`teardown() of ${operator.transformId} failed: ${String(error)}`);
    }
  }
}

/** Tears down the operators of the bundle processors that wait for their next bundle, which does not come. */
export async function tearDownIdle(worker: Worker): Promise<void> {
  for (const processors of worker.bundleProcessors.values()) {
    for (const { topologicallyOrderedOperators } of processors.splice(0)) await tearDown(topologicallyOrderedOperators);
  }
}
