import { BigQuery, type BigQueryOptions } from "@google-cloud/bigquery";
import { PassThroughClient } from "google-auth-library";

export interface BigQueryConnection {
  readonly project: string;
  /** An emulator, such as `http://127.0.0.1:9050`; undefined for Google's service with default credentials. */
  readonly endpoint?: string | undefined;
}

/** The client for a connection. */
export function bigQueryClient(
  { project, endpoint }: BigQueryConnection,
  options: Pick<BigQueryOptions, "autoRetry"> & { timeout?: number } = {},
): BigQuery {
  // An emulator is no Google service: without this, the client looks for credentials and for a metadata server.
  const emulator = endpoint === undefined ? {} : { apiEndpoint: endpoint, authClient: new PassThroughClient() };
  return new BigQuery({ projectId: project, ...emulator, ...options });
}
