import { BigQuery, type BigQueryOptions } from "@google-cloud/bigquery";
import { PassThroughClient, type AuthClient } from "google-auth-library";

export interface BigQueryConnection {
  readonly project: string;
  /** URL of an emulator, such as `http://127.0.0.1:9050`; undefined: Google's service with default credentials. */
  readonly endpoint?: string | undefined;
}

/**
 * Creates a BigQuery client.
 * @param options.authClient credentials for Google, not used with an emulator; default: the library's own search
 */
export function bigQueryClient(
  { project, endpoint }: BigQueryConnection,
  {
    authClient,
    ...options
  }: Pick<BigQueryOptions, "autoRetry"> & { timeout?: number; authClient?: AuthClient | undefined } = {},
): BigQuery {
  // With an emulator, the client must not look for credentials or a metadata server.
  const emulator = endpoint === undefined ? {} : { apiEndpoint: endpoint };
  const auth = endpoint === undefined ? authClient : new PassThroughClient();
  return new BigQuery({ projectId: project, ...emulator, ...(auth && { authClient: auth }), ...options });
}
