import type { PartitionCount } from "@eventlogger/gcp/bigquery/replay/countRows";
import { dollarsText, priceOf, PRICES, TIB, type Prices } from "../../costs/prices";

/** Bytes of an event in a replay message: the six fields of its line, with ids as ingest makes them, and its share of the message. */
const BYTES_PER_EVENT = 230;

/** What a rebuild would read and send. */
export interface RebuildPlan {
  readonly rows: number;
  /** Partitions of `events`. */
  readonly partitions: number;
  /** Bytes that BigQuery reads for the replay and one comparison; undefined when it does not tell, as emulators. */
  readonly queryBytes: number | undefined;
  /** Bytes through the replay topic, published and delivered. An estimate. */
  readonly pubsubBytes: number;
  /** US dollars; undefined without the bytes. */
  readonly queryCost: number | undefined;
  readonly pubsubCost: number;
  readonly prices: PlanPrices;
}

/** The prices of what a rebuild causes. */
export type PlanPrices = Pick<Prices, "asOf" | "region" | "query" | "pubsub">;

export function rebuildPlan(
  counts: readonly PartitionCount[],
  queryBytes: number | undefined,
  prices: PlanPrices = PRICES,
): RebuildPlan {
  const rows = counts.reduce((sum, partition) => sum + partition.rows, 0);
  const pubsubBytes = 2 * rows * BYTES_PER_EVENT;
  return {
    rows,
    partitions: counts.length,
    queryBytes,
    pubsubBytes,
    queryCost: queryBytes === undefined ? undefined : priceOf(queryBytes / TIB, prices.query),
    pubsubCost: priceOf(pubsubBytes / TIB, prices.pubsub),
    prices,
  };
}

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"] as const;

/** `1.2 GB`. */
function bytesText(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

const dollars = (amount: number): string => (amount < 0.01 ? dollarsText(amount) : `about ${dollarsText(amount)}`);

/** The plan for people. */
export function planLines({
  rows,
  partitions,
  queryBytes,
  pubsubBytes,
  queryCost,
  pubsubCost,
  prices,
}: RebuildPlan): string[] {
  const query =
    queryBytes === undefined || queryCost === undefined
      ? "unknown: this server does not report what a query reads"
      : `${bytesText(queryBytes)} read by queries, ${dollars(queryCost)}`;
  return [
    `rows      ${rows.toLocaleString("en")} in ${partitions.toLocaleString("en")} partitions of events`,
    `BigQuery  ${query}`,
    `Pub/Sub   ${bytesText(pubsubBytes)} published and delivered, ${dollars(pubsubCost)}`,
    `Prices    list prices for ${prices.region} of ${prices.asOf}: $${prices.query.dollars} per TiB read by queries, ` +
      `$${prices.pubsub.dollars} per TiB through Pub/Sub. Workers and storage are not included`,
  ];
}
