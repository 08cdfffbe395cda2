/**
 * Metrics of the whole process, which runners ask for apart from bundles: requests to services. Unlike the metrics of bundles
 * they are cumulative, and count requests of bundles that failed.
 */
import { SumCell } from "./cells";
import { currentStep } from "./steps";

const API_REQUESTS_URN = "beam:metric:io:api_request_count:v1";

/** A request to a service, as in Beam's metrics.proto. */
export interface ApiRequest {
  /** Such as `BigQuery`. */
  readonly service: string;
  /** Such as `BigQueryBatchWrite`. */
  readonly method: string;
  /** The resource's full name, such as `//bigquery.googleapis.com/projects/P/datasets/D/tables/T`. */
  readonly resource: string;
  /** `ok`, or the status of the error: `permission_denied`, `429`. */
  readonly status: string;
}

const cells = new Map<string, SumCell>();

/** Counts a request that a DoFn has made to a service. Dataflow shows these counts; requests of a source outside of bundles have no step. */
export function countApiRequest({ service, method, resource, status }: ApiRequest): void {
  const PTRANSFORM = currentStep()?.transformId ?? "";
  const labels = { SERVICE: service, METHOD: method, RESOURCE: resource, STATUS: status, PTRANSFORM };
  const cell = new SumCell(API_REQUESTS_URN, labels);
  const known = cells.get(cell.key);
  if (known) return known.add(1);
  cell.add(1);
  cells.set(cell.key, cell);
}

/** The metrics of the process. */
export function processMetrics(): readonly SumCell[] {
  return [...cells.values()];
}
