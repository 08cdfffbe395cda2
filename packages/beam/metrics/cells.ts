/**
 * Metrics of one bundle, in the encodings of Beam's metrics.proto. A cell has the shape of the SDK's metric cells, so that
 * the SDK's container can hold it: it resets the cells before each bundle, and reports those that are set.
 */
import protobufjs from "protobufjs";
import type { MonitoringInfo } from "apache-beam/proto/metrics";

/** What identifies a metric: URN and type from metrics.proto, and the labels that the URN requires. */
export interface MetricId {
  readonly urn: string;
  readonly type: string;
  readonly labels: Readonly<Record<string, string>>;
}

const SUM_TYPE = "beam:metrics:sum_int64:v1";
const DISTRIBUTION_TYPE = "beam:metrics:distribution_int64:v1";
const LATEST_TYPE = "beam:metrics:latest_int64:v1";

/** The values as Beam's variable-length integers, one after the other. */
export function encodeInt64(...values: readonly number[]): Uint8Array {
  const writer = new protobufjs.Writer();
  for (const value of values) writer.int64(value);
  return writer.finish();
}

/** Reads what {@link encodeInt64} writes. */
export function decodeInt64(bytes: Uint8Array): number[] {
  const reader = new protobufjs.Reader(bytes);
  const values: number[] = [];
  while (reader.pos < reader.len) values.push(Number(reader.int64()));
  return values;
}

/** Runners know 64-bit integers only. @throws RangeError when the value of a metric is not an integer */
function checkInteger(value: number): void {
  if (!Number.isSafeInteger(value)) throw new RangeError(`The value of a metric must be an integer, not ${value}`);
}

/** A metric of one step or collection in one bundle. */
export abstract class MetricCell {
  /** Whether the bundle has set it; the name is the SDK's. */
  is_set = false;
  /** The SDK asks `value` for the payload. */
  readonly value = this;
  readonly key: string;

  constructor(private readonly id: MetricId) {
    this.key = JSON.stringify([id.urn, Object.entries(id.labels).sort()]);
  }
  toEmptyMonitoringInfo(): MonitoringInfo {
    const { urn, type, labels } = this.id;
    return { urn, type, labels: { ...labels }, payload: new Uint8Array() };
  }
  abstract payload(): Uint8Array;
  reset(): void {
    this.is_set = false;
  }
}

/** A sum of integers. */
export class SumCell extends MetricCell {
  private sum = 0;
  constructor(urn: string, labels: MetricId["labels"]) {
    super({ urn, type: SUM_TYPE, labels });
  }
  add(n: number): void {
    checkInteger(n);
    this.is_set = true;
    this.sum += n;
  }
  /** Sets the sum of this bundle. */
  replace(sum: number): void {
    checkInteger(sum);
    this.is_set = true;
    this.sum = sum;
  }
  payload(): Uint8Array {
    return encodeInt64(this.sum);
  }
  override reset(): void {
    super.reset();
    this.sum = 0;
  }
}

/** Count, sum, minimum and maximum of integers. */
export class DistributionCell extends MetricCell {
  private count = 0;
  private sum = 0;
  private min = 0;
  private max = 0;
  constructor(urn: string, labels: MetricId["labels"]) {
    super({ urn, type: DISTRIBUTION_TYPE, labels });
  }
  update(value: number): void {
    checkInteger(value);
    this.is_set = true;
    this.min = this.count ? Math.min(this.min, value) : value;
    this.max = this.count ? Math.max(this.max, value) : value;
    this.count++;
    this.sum += value;
  }
  payload(): Uint8Array {
    return encodeInt64(this.count, this.sum, this.min, this.max);
  }
  override reset(): void {
    super.reset();
    this.count = this.sum = 0;
  }
}

/** The newest integer, with the time at which it was set. */
export class LatestCell extends MetricCell {
  private latest = 0;
  private timestampMs = 0;
  constructor(urn: string, labels: MetricId["labels"]) {
    super({ urn, type: LATEST_TYPE, labels });
  }
  set(value: number): void {
    checkInteger(value);
    this.is_set = true;
    this.latest = value;
    this.timestampMs = Date.now();
  }
  payload(): Uint8Array {
    return encodeInt64(this.timestampMs, this.latest);
  }
}
