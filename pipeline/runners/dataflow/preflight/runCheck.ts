import type { Findings } from "@eventlogger/gcp/diagnostics";
import { CredentialsError, GoogleApiError } from "@eventlogger/gcp/api/googleApiError";
import { ApiDisabledError, disabledApi } from "@eventlogger/gcp/api/permission";

const GRPC_UNAUTHENTICATED = 16;

/** The error that makes every launch fail, if this is one; others say only that something could not be looked at. */
function fatal(error: Error & { code?: unknown }, project: string): Error | undefined {
  if (error instanceof CredentialsError || error instanceof ApiDisabledError) return error;
  if (error instanceof GoogleApiError) {
    const api = disabledApi(error.reason);
    return api === undefined ? undefined : new ApiDisabledError(api, project, error);
  }
  if (error.code === GRPC_UNAUTHENTICATED || /default credentials|invalid_grant|invalid_rapt/i.test(error.message)) {
    return new CredentialsError(error.message);
  }
  return undefined;
}

/**
 * Makes a check that ends in time and never throws.
 * @param what what is checked, for the warning that it could not be
 * @param check gets a signal that is aborted when its time is over
 */
export async function within(
  what: string,
  { project, limitMs }: { project: string; limitMs: number },
  check: (signal: AbortSignal) => Promise<Findings>,
): Promise<Findings> {
  const signal = AbortSignal.timeout(limitMs);
  const timeout = new Promise<never>((_, reject) => {
    // The clients of Pub/Sub and BigQuery take no signal.
    signal.addEventListener("abort", () => reject(new Error(`no answer within ${limitMs / 1000} s`)), { once: true });
  });
  try {
    return await Promise.race([check(signal), timeout]);
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const problem = fatal(error, project);
    if (problem) return { problems: [problem.message], warnings: [] };
    const cause = error.cause instanceof Error && error.message === "fetch failed" ? `: ${error.cause.message}` : "";
    const reason = signal.aborted ? `no answer within ${limitMs / 1000} s` : `${error.message}${cause}`;
    return { problems: [], warnings: [`Could not check ${what}: ${reason}`] };
  }
}
