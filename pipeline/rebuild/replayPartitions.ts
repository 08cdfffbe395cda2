import type { PartitionCount } from "@eventlogger/gcp/bigquery/replay/countRows";
import type { RebuildContext } from "./context";
import { replayedRows, type RebuildRecord } from "./record";
import type { RebuildTimes } from "./services";

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/**
 * The selection of rows whose number decides whether a partition must be replayed again: those that were received until the cut-off.
 * Later ones reach the new generation as live events.
 */
export function rowsUntilCutOff(
  { cutOff, from }: Pick<RebuildRecord, "cutOff" | "from">,
  { receiverSkewMs }: Pick<RebuildTimes, "receiverSkewMs">,
): { readonly receivedFrom?: string; readonly receivedTo: string; readonly until: string } {
  if (cutOff === null) throw new Error("The rebuild has no cut-off yet");
  const until = Date.parse(cutOff) + receiverSkewMs;
  return {
    ...(from !== null && { receivedFrom: from }),
    receivedTo: dayOf(until),
    until: new Date(until).toISOString(),
  };
}

/** The partitions of which not all rows were replayed, with all their rows. */
export function partitionsToReplay(
  counts: readonly PartitionCount[],
  replayed: Readonly<Record<string, number>>,
): PartitionCount[] {
  return counts.filter(({ partition, rows }) => replayed[partition] !== rows);
}

/**
 * Replays partitions that have other rows than when they were replayed, and records each one. A partition is replayed with all its rows,
 * also those after the cut-off, which changes nothing.
 * @returns the number of partitions that were replayed
 */
export async function replayChanged({ services, session, times, report, signal }: RebuildContext): Promise<number> {
  report.doing("counting rows");
  const counts = await services.rows.count(rowsUntilCutOff(session.record, times));
  const left = partitionsToReplay(counts, session.record.replayed);
  const total = counts.reduce((sum, { rows }) => sum + rows, 0);
  const leftRows = left.reduce((sum, { rows }) => sum + rows, 0);
  let done = total - leftRows;
  report.rows(done, total);
  if (left.length === 0) return 0;
  const complete: Record<string, number> = {};
  let recordedAt = performance.now();
  const record = async (): Promise<void> => {
    const now = new Date(await services.store.now()).toISOString();
    await session.update({ replayed: { ...session.record.replayed, ...complete }, replayedAt: now });
    recordedAt = performance.now();
  };
  await services.rows.replay({
    generation: session.generation,
    partitions: left,
    signal,
    onRows: (rows) => {
      // A partition can have gained rows since it was counted.
      done = Math.min(total, done + rows);
      report.rows(done, total);
    },
    onPartition: async (partition) => {
      complete[partition] = left.find((one) => one.partition === partition)?.rows ?? 0;
      if (performance.now() - recordedAt >= times.recordMs) await record();
    },
  });
  await record();
  report.rows(replayedRows(session.record), total);
  return left.length;
}
