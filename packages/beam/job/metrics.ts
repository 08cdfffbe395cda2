import "../sdk";
import Long from "long";
import protobufjs from "protobufjs";
import type { MetricResults } from "apache-beam/proto/beam_job_api";
import type { MonitoringInfo } from "apache-beam/proto/metrics";

/** Count, sum, minimum and maximum of the values of a distribution. */
export interface JobDistribution {
  readonly count: number | bigint;
  readonly sum: number | bigint;
  readonly min: number | bigint;
  readonly max: number | bigint;
}

/** A metric of a job. Integers that a number cannot hold are bigints. */
export interface JobMetric {
  /** Beam's name of the kind: `beam:metric:user:sum_int64:v1` is a counter of a DoFn, `beam:metric:element_count:v1` a count. */
  readonly urn: string;
  /** `NAMESPACE` and `NAME` of a user metric, `PTRANSFORM`, `PCOLLECTION`, … */
  readonly labels: Readonly<Record<string, string>>;
  /** A counter or gauge, or a distribution. Undefined when this library does not know the type of the metric. */
  readonly value: number | bigint | JobDistribution | undefined;
}

function int64(reader: protobufjs.Reader): number | bigint {
  const value = BigInt(Long.fromValue(reader.int64()).toString());
  return BigInt.asIntN(54, value) === value ? Number(value) : value;
}

/** The encodings are in Beam's metrics.proto. */
function decode(type: string, payload: Uint8Array): JobMetric["value"] {
  const reader = protobufjs.Reader.create(payload);
  switch (type) {
    case "beam:metrics:sum_int64:v1":
      return int64(reader);
    case "beam:metrics:sum_double:v1":
      return Buffer.from(payload).readDoubleBE();
    case "beam:metrics:latest_int64:v1":
      int64(reader); // the time
      return int64(reader);
    case "beam:metrics:distribution_int64:v1": {
      const [count, sum, min, max] = [int64(reader), int64(reader), int64(reader), int64(reader)];
      return { count, sum, min, max };
    }
    default:
      return undefined;
  }
}

function jobMetric({ urn, type, labels, payload }: MonitoringInfo): JobMetric {
  return { urn, labels, value: decode(type, payload) };
}

/** The metrics in an answer of a job service: the committed ones when there are any, otherwise the attempted ones. */
export function jobMetrics({ committed, attempted }: MetricResults): JobMetric[] {
  return (committed.length ? committed : attempted).map(jobMetric);
}
