import type { BigQuery, BigQueryOptions } from "@google-cloud/bigquery";
import { PassThroughClient, type AuthClient } from "google-auth-library";
import { CheckedBigQuery } from "./checkedClient";
import { limitRequestTime } from "./requestTimeout";

export interface BigQueryConnection {
  readonly project: string;
  /** URL of an emulator, such as `http://127.0.0.1:9050`; undefined: Google's service with default credentials. */
  readonly endpoint?: string | undefined;
}

/**
 * Creates a BigQuery client. Its calls fail with a ForeignAnswerError when something else answers instead of BigQuery.
 * @param options.timeout time limit of a call, ms; by default a call may wait forever
 * @param options.authClient credentials for Google, not used with an emulator; default: the library's own search
 */
export function bigQueryClient(
  { project, endpoint }: BigQueryConnection,
  {
    authClient,
    timeout,
    ...options
  }: Pick<BigQueryOptions, "autoRetry"> & { timeout?: number; authClient?: AuthClient | undefined } = {},
): BigQuery {
  // With an emulator, the client must not look for credentials or a metadata server.
  const emulator = endpoint === undefined ? {} : { apiEndpoint: endpoint };
  const auth = endpoint === undefined ? authClient : new PassThroughClient();
  const client = new CheckedBigQuery({
    projectId: project,
    ...emulator,
    ...(auth && { authClient: auth }),
    ...options,
  });
  if (timeout !== undefined) limitRequestTime(client, timeout);
  return client;
}

/** Whether a client talks to Google's service, not to an emulator. */
export function isGoogleService({ apiEndpoint }: BigQuery): boolean {
  return new URL(apiEndpoint).hostname.endsWith(".googleapis.com");
}
