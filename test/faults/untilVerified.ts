import type { BigQuery } from "@google-cloud/bigquery";
import { verifyDataset, type Verification } from "@eventlogger/gcp/bigquery/verify/verify";
import { waitUntil } from "@eventlogger/process/wait";

/**
 * Waits until nothing is wrong in a dataset: the rollups equal the raw events, every recorded event is in `events`, the record
 * has every event, and no refused event is only in `dead_letters`. Raw rows can be written after the rollups are exact.
 * @param accepted number of different events that were accepted; the record must have exactly as many
 * @throws TimeoutError with what `verify` has found
 */
export async function untilVerified(
  bigquery: BigQuery,
  dataset: string,
  { accepted, timeoutMs }: { accepted: number; timeoutMs: number },
): Promise<void> {
  let last: Verification | undefined;
  const verified = async (): Promise<boolean> => {
    // Tests know which messages must become dead letters.
    last = await verifyDataset(bigquery, { dataset, deadLettersUntil: new Date(Date.now() + 60_000).toISOString() });
    const { isEqual, record } = last;
    return isEqual && record.recorded === accepted && record.uncovered.length === 0;
  };
  const details = (): string => JSON.stringify(last, undefined, 2).slice(0, 4000);
  const limits = { timeoutMs, intervalMs: 1000, retryErrors: true, details };
  await waitUntil(`verify to find nothing in ${accepted} events`, verified, limits);
}
