/** List prices in US dollars of one region, as far as a rebuild causes them. Other regions and contracts differ. */
export interface Prices {
  /** Day of the price lists; YYYY-MM-DD. */
  readonly asOf: string;
  readonly region: string;
  /** Bytes that queries read, on demand. https://cloud.google.com/bigquery/pricing */
  readonly queryPerTiB: number;
  /** Bytes that are published and delivered, each. https://cloud.google.com/pubsub/pricing */
  readonly pubsubPerTiB: number;
}

export const PRICES: Prices = { asOf: "2025-06-01", region: "US", queryPerTiB: 6.25, pubsubPerTiB: 40 };

const TIB = 2 ** 40;

/** The price of bytes; US dollars. */
export function priceOf(bytes: number, perTiB: number): number {
  return (bytes / TIB) * perTiB;
}
