import { countRows, type PartitionCount } from "@eventlogger/gcp/bigquery/replay/countRows";
import { bytesToRead } from "@eventlogger/gcp/bigquery/replay/readRows";
import type { RowSelection } from "@eventlogger/gcp/bigquery/replay/selection";
import { progressText } from "@eventlogger/options/progressText";
import { colours } from "@eventlogger/options/terminal";
import { StopRequestedError } from "@eventlogger/process/stopSignals";
import { priceOf, PRICES, TIB, type Price } from "../../costs/prices";
import { estimateReplay } from "../../replay/estimateReplay";
import { replayRows } from "../../replay/replayRows";
import { countText, type ReplayContext, type ReplayOptions, type ReplayReport } from "./replayContext";

function selectionOf({ by, from, to }: ReplayOptions): RowSelection {
  return by === "event" ? { eventFrom: from, eventTo: to } : { receivedFrom: from, receivedTo: to };
}

const sum = (counts: readonly PartitionCount[]): number => counts.reduce((all, { rows }) => all + rows, 0);
const megabytes = (bytes: number): string =>
  `${(bytes / 1e6).toLocaleString("en-US", { maximumFractionDigits: 1 })} MB`;
const dollars = (bytes: number, price: Price): string => `$${priceOf(bytes / TIB, price).toFixed(2)}`;

async function dryRun(
  { o, bigquery, target }: ReplayContext,
  counts: readonly PartitionCount[],
): Promise<ReplayReport> {
  const rows = sum(counts);
  const { bytesScanned, messageBytes } = estimateReplay(rows, await bytesToRead(bigquery, o.dataset, selectionOf(o)));
  const scanned =
    bytesScanned === undefined
      ? "BigQuery does not report what it would read"
      : `BigQuery would read ${megabytes(bytesScanned)}, which costs about ${dollars(bytesScanned, PRICES.query)} on demand`;
  return {
    document: { rows, partitions: counts, bytesScanned, messageBytes },
    lines: [
      `would replay ${countText(rows, "row")}, received on ${countText(counts.length, "day")}, into generation ${target.generation}`,
      scanned,
      `Pub/Sub would carry about ${megabytes(messageBytes)} twice, which costs about ${dollars(2 * messageBytes, PRICES.pubsub)}`,
    ],
    isFailed: false,
  };
}

/** The command that replays what an interrupted replay has not replayed. */
function restOf({ by }: ReplayOptions, counts: readonly PartitionCount[], done: ReadonlyMap<string, number>): string {
  const next = counts.find(({ partition }) => !done.has(partition))?.partition;
  return by === "received" && done.size > 0 && next !== undefined
    ? `continue with the same command and --from ${next}: all rows that were received before are replayed`
    : "start again with the same command: rows that were replayed already change nothing";
}

/** Replays rows of the table `events`. */
export async function replayStoredRows(context: ReplayContext): Promise<ReplayReport> {
  const { o, bigquery, pubsub, target, progress, signal } = context;
  const selection = selectionOf(o);
  const counts = await progress.step("counting the rows", () => countRows(bigquery, o.dataset, selection));
  if (o.dryRun) return dryRun(context, counts);
  const total = sum(counts);
  const startedAt = performance.now();
  const done = new Map<string, number>();
  let rows = 0;
  let bytesScanned: number | undefined;
  const isInterrupted = await progress.step(`replaying into generation ${target.generation}`, async (onProgress) => {
    try {
      const result = await replayRows({
        ...{ bigquery, dataset: o.dataset, pubsub, topic: target.topic, generation: target.generation },
        ...{ rows: selection, counts, rate: o.rate, signal },
        onProgress: (replayed) => {
          rows = replayed.rows;
          onProgress(progressText({ done: rows, total, unit: "rows", elapsedMs: performance.now() - startedAt }));
        },
        onPartition: ({ partition, rows: published }) => void done.set(partition, published),
      });
      bytesScanned = result.bytesScanned;
      return false;
    } catch (error) {
      if (error instanceof StopRequestedError) return true;
      progress.print(`after the cause is removed, ${restOf(o, counts, done)}`);
      throw error;
    }
  });
  const seconds = (performance.now() - startedAt) / 1000;
  const { green, yellow } = colours(process.stdout);
  const into = `into generation ${target.generation}`;
  const scanned = bytesScanned === undefined ? "" : `; BigQuery read ${megabytes(bytesScanned)}`;
  const speed = `in ${seconds.toFixed(1)} s (${Math.round(rows / seconds).toLocaleString("en-US")}/s)`;
  const partitions = [...done].map(([partition, published]) => ({ partition, rows: published }));
  return {
    document: { rows, partitions, seconds, bytesScanned },
    lines: isInterrupted
      ? [
          `${yellow("interrupted")} after ${countText(rows, "row")} of ${total.toLocaleString("en-US")} ${into}`,
          restOf(o, counts, done),
        ]
      : [
          `${green("replayed")} ${countText(rows, "row")}, received on ${countText(done.size, "day")}, ${into} ${speed}${scanned}`,
        ],
    isFailed: false,
  };
}
