/** A list price in US dollars. */
export interface Price {
  /** What is billed. */
  readonly what: string;
  readonly dollars: number;
  /** What the price is for, such as `TiB`. */
  readonly per: string;
  /** The price list. */
  readonly source: string;
}

/** List prices of one region. Other regions and contracts differ, and free amounts are not deducted. */
export interface Prices {
  /** Day of the price lists; YYYY-MM-DD. */
  readonly asOf: string;
  readonly region: string;
  /** Bytes that queries read, on demand. */
  readonly query: Price;
  /** Bytes that are published and delivered, each. */
  readonly pubsub: Price;
  readonly dataflowVcpu: Price;
  readonly dataflowMemory: Price;
  /** Bytes that Streaming Engine processes. */
  readonly dataflowStreamingEngine: Price;
  /** Bytes of rows that the Storage Write API appends. */
  readonly storageWrite: Price;
  /** Logical bytes of partitions that were changed in the last 90 days. */
  readonly activeStorage: Price;
  /** Logical bytes of other partitions. */
  readonly longTermStorage: Price;
  /** An instance whose CPU is always allocated. */
  readonly cloudRunVcpu: Price;
  readonly cloudRunMemory: Price;
}

const BIGQUERY = "https://cloud.google.com/bigquery/pricing";
const DATAFLOW = "https://cloud.google.com/dataflow/pricing";
const PUBSUB = "https://cloud.google.com/pubsub/pricing";
const CLOUD_RUN = "https://cloud.google.com/run/pricing";

export const PRICES: Prices = {
  asOf: "2025-06-01",
  region: "us-central1",
  query: { what: "queries on demand", dollars: 6.25, per: "TiB", source: BIGQUERY },
  pubsub: { what: "Pub/Sub, published and delivered each", dollars: 40, per: "TiB", source: PUBSUB },
  dataflowVcpu: { what: "Dataflow, streaming workers", dollars: 0.069, per: "vCPU hour", source: DATAFLOW },
  dataflowMemory: {
    what: "Dataflow, memory of streaming workers",
    dollars: 0.003557,
    per: "GB hour",
    source: DATAFLOW,
  },
  dataflowStreamingEngine: { what: "Dataflow, Streaming Engine", dollars: 0.018, per: "GB", source: DATAFLOW },
  storageWrite: { what: "BigQuery, Storage Write API", dollars: 0.025, per: "GiB", source: BIGQUERY },
  activeStorage: {
    what: "BigQuery, storage changed in the last 90 days",
    dollars: 0.02,
    per: "GiB month",
    source: BIGQUERY,
  },
  longTermStorage: { what: "BigQuery, other storage", dollars: 0.01, per: "GiB month", source: BIGQUERY },
  cloudRunVcpu: { what: "Cloud Run, CPU always allocated", dollars: 0.000018, per: "vCPU second", source: CLOUD_RUN },
  cloudRunMemory: { what: "Cloud Run, memory", dollars: 0.000002, per: "GiB second", source: CLOUD_RUN },
};

export const TIB = 2 ** 40;
export const GIB = 2 ** 30;
export const GB = 1e9;

/** The price of an amount; US dollars. @param amount in the unit of the price */
export function priceOf(amount: number, { dollars }: Price): number {
  return amount * dollars;
}

/** `$0.01` for people; less than a cent is not shown as nothing. */
export function dollarsText(amount: number): string {
  if (amount < 0.01) return "less than $0.01";
  const digits = amount < 100 ? 2 : 0;
  return `$${amount.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}
