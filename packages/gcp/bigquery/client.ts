import { BigQuery, type BigQueryOptions } from "@google-cloud/bigquery";
import { PassThroughClient } from "google-auth-library";

export interface BigQueryConnection {
  readonly project: string;
  /** URL of an emulator, such as `http://127.0.0.1:9050`; undefined: Google's service with default credentials. */
  readonly endpoint?: string | undefined;
}

/** Creates a BigQuery client. */
export function bigQueryClient(
  { project, endpoint }: BigQueryConnection,
  options: Pick<BigQueryOptions, "autoRetry"> & { timeout?: number } = {},
): BigQuery {
  // With an emulator, the client must not look for credentials or a metadata server.
  const emulator = endpoint === undefined ? {} : { apiEndpoint: endpoint, authClient: new PassThroughClient() };
  return new BigQuery({ projectId: project, ...emulator, ...options });
}

/** Whether a client talks to Google's service, not to an emulator. */
export function isGoogleService({ apiEndpoint }: BigQuery): boolean {
  return new URL(apiEndpoint).hostname.endsWith(".googleapis.com");
}
