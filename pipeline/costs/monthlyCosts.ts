import type { Machine } from "./machineTypes";
import { GB, GIB, priceOf, PRICES, TIB, type Prices } from "./prices";

/** A month; days. */
export const DAYS_PER_MONTH = 30;
const HOURS = DAYS_PER_MONTH * 24;
const SECONDS = HOURS * 3600;
const SECONDS_PER_DAY = 86_400;

/**
 * What one event and one operation cause. Sizes of messages and rows are those of generated traffic, which a test measures. What the services
 * do was never measured on them: these are assumptions, on the safe side.
 */
export const ASSUMPTIONS = {
  /** Bytes of a Pub/Sub message with its attributes. */
  messageBytes: 530,
  /** The subscription of the job, and the one with which Dataflow follows the times of events. */
  deliveries: 2,
  /** Logical bytes of a row of `events`, by BigQuery's sizes of types. */
  rowBytes: 150,
  /** Rows of the other tables, as a share of the bytes of `events`. */
  otherRowsShare: 0.1,
  /** Bytes through Streaming Engine for an event: the message, keyed elements, and state. */
  streamingEngineBytes: 4000,
  /** Events a second that one vCPU of a worker processes; a tenth of what the same pipeline reaches on Flink. */
  eventsPerSecondPerVcpu: 1000,
  /** Traffic of the busiest hour, as a multiple of the mean. Autoscaling follows it, and keeps reserves. */
  peakFactor: 2,
  /** Requests a second that an instance of ingest with one vCPU serves; a fifth of what one reaches on a test machine. */
  requestsPerSecondPerInstance: 2000,
  minInstances: 1,
  instance: { vcpus: 1, memoryGib: 0.5 },
  /** Somebody looks at the numbers all day, and loads them once a minute. */
  readsPerDay: 1440,
  /** BigQuery bills at least 10 MB for each of two tables. */
  bytesPerRead: 20e6,
  /** Refreshes of the breakdowns: every ten minutes. */
  refreshesPerDay: 144,
  /** Bytes of a row of `events` that a refresh reads, and that `verify` reads. */
  refreshRowBytes: 728,
  verifyRowBytes: 530,
  verificationsPerDay: 1,
} as const;

/** One line of the bill. */
export interface CostLine {
  readonly service: string;
  /** The amount, in words. */
  readonly amount: string;
  /** US dollars a month; undefined when the price is not known. */
  readonly dollars: number | undefined;
}

export interface MonthlyCosts {
  readonly eventsPerDay: number;
  readonly lines: readonly CostLine[];
  /** US dollars a month, without the lines whose price is not known. */
  readonly total: number;
  readonly prices: Prices;
}

/** What a bill depends on. */
export interface CostSettings {
  readonly eventsPerDay: number;
  /** Name of the machine type of the workers. */
  readonly machineType: string;
  /** What it has; undefined when that is not known. */
  readonly machine: Machine | undefined;
  /** The least number of workers. @default 1 */
  readonly minWorkers?: number | undefined;
  /** The greatest number of workers. */
  readonly maxWorkers?: number | undefined;
}

const rounded = (n: number, digits = 0): string => n.toLocaleString("en-US", { maximumFractionDigits: digits });
const gibText = (bytes: number): string => `${rounded(bytes / GIB, bytes < 100 * GIB ? 1 : 0)} GiB`;

/** The workers that the peak of the traffic needs. */
function workersFor({ eventsPerDay, machine, minWorkers = 1, maxWorkers = Infinity }: CostSettings): number {
  const peak = (eventsPerDay / SECONDS_PER_DAY) * ASSUMPTIONS.peakFactor;
  const needed = machine ? Math.ceil(peak / (machine.vcpus * ASSUMPTIONS.eventsPerSecondPerVcpu)) : 1;
  return Math.min(Math.max(minWorkers, needed), maxWorkers);
}

/**
 * What a month costs by list prices: Pub/Sub, Dataflow, BigQuery, and ingest on Cloud Run. Free amounts, discounts, network traffic and logs
 * are not included. Storage and `verify` are those of the end of the first year, without a retention.
 */
export function monthlyCosts(settings: CostSettings, prices: Prices = PRICES): MonthlyCosts {
  const { eventsPerDay, machine, machineType } = settings;
  const a = ASSUMPTIONS;
  const perMonth = eventsPerDay * DAYS_PER_MONTH;
  const line = (service: string, amount: string, dollars: number | undefined): CostLine => ({
    service,
    amount,
    dollars,
  });

  const pubsubBytes = perMonth * a.messageBytes * (1 + a.deliveries);
  const workers = workersFor(settings);
  const engineBytes = perMonth * a.streamingEngineBytes;
  const rowBytesPerMonth = perMonth * a.rowBytes * (1 + a.otherRowsShare);
  const instances = Math.max(
    a.minInstances,
    Math.ceil(((eventsPerDay / SECONDS_PER_DAY) * a.peakFactor) / a.requestsPerSecondPerInstance),
  );
  const readBytes = a.readsPerDay * a.bytesPerRead * DAYS_PER_MONTH;
  // The partition of today grows from nothing to a whole day.
  const refreshBytes = (a.refreshesPerDay * eventsPerDay * a.refreshRowBytes * DAYS_PER_MONTH) / 2;
  const verifyBytes = a.verificationsPerDay * eventsPerDay * 365 * a.verifyRowBytes * DAYS_PER_MONTH;
  const queryLine = (what: string, bytes: number): CostLine =>
    line("BigQuery, queries", `${gibText(bytes)} read by ${what}`, priceOf(bytes / TIB, prices.query));
  const lines = [
    line(
      "Pub/Sub",
      `${gibText(pubsubBytes)}, published once and delivered ${a.deliveries} times`,
      priceOf(pubsubBytes / TIB, prices.pubsub),
    ),
    line(
      "Dataflow, workers",
      `${rounded(workers)} of ${machineType}`,
      machine &&
        workers *
          HOURS *
          (priceOf(machine.vcpus, prices.dataflowVcpu) + priceOf(machine.memoryGb, prices.dataflowMemory)),
    ),
    line(
      "Dataflow, Streaming Engine",
      `${rounded(engineBytes / GB)} GB processed`,
      priceOf(engineBytes / GB, prices.dataflowStreamingEngine),
    ),
    line(
      "BigQuery, writes",
      `${gibText(rowBytesPerMonth)} of rows`,
      priceOf(rowBytesPerMonth / GIB, prices.storageWrite),
    ),
    line(
      "BigQuery, storage",
      `${gibText(12 * rowBytesPerMonth)} after a year, three months of it active`,
      priceOf((3 * rowBytesPerMonth) / GIB, prices.activeStorage) +
        priceOf((9 * rowBytesPerMonth) / GIB, prices.longTermStorage),
    ),
    queryLine("GET /event/, once a minute", readBytes),
    queryLine("refresh, every 10 minutes", refreshBytes),
    queryLine("verify, once a day after a year", verifyBytes),
    line(
      "Cloud Run, ingest",
      `${rounded(instances)} of 1 vCPU and 512 MiB`,
      instances *
        SECONDS *
        (priceOf(a.instance.vcpus, prices.cloudRunVcpu) + priceOf(a.instance.memoryGib, prices.cloudRunMemory)),
    ),
  ];
  const total = lines.reduce((sum, { dollars }) => sum + (dollars ?? 0), 0);
  return { eventsPerDay, lines, total, prices };
}
