import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "@eventlogger/process/backoff";

/** Attempts of a statement that conflicts with others. */
const ATTEMPTS = 5;

/** BigQuery runs one of several statements that change a row, and fails the others after some attempts of its own. */
const isConcurrentUpdate = (error: unknown): boolean =>
  error instanceof Error && /concurrent update|could not serialize access/i.test(error.message);

/**
 * Runs a statement that changes rows, and again when it conflicts with another one.
 * @throws the error of the last attempt
 */
export async function retryConflicts<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (!isConcurrentUpdate(error) || attempt >= ATTEMPTS) throw error;
    }
    await sleep(backoffMs(attempt, { initialMs: 500, maxMs: 5000 }));
  }
}
