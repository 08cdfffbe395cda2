import { CredentialsError, GoogleApiError } from "@eventlogger/gcp/api/googleApiError";
import { ApiDisabledError, disabledApi } from "@eventlogger/gcp/api/permission";
import { problem, type Diagnostics } from "@eventlogger/gcp/diagnostics";
import { TimeoutError, withTimeout } from "@eventlogger/process/wait";

const GRPC_UNAUTHENTICATED = 16;

/** The error that makes every launch fail; undefined if the error means only that the check could not be made. */
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
 * Runs a preflight check with a time limit. Never throws.
 * @param what what is checked, for the warning that it could not be checked
 * @param check gets a signal that is aborted at the time limit. The clients of Pub/Sub and BigQuery accept no signal
 */
export async function runCheck(
  what: string,
  { project, timeoutMs }: { project: string; timeoutMs: number },
  check: (signal: AbortSignal) => Promise<Diagnostics>,
): Promise<Diagnostics> {
  try {
    return await withTimeout(check, timeoutMs, `checking ${what}`);
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const fatalError = fatal(error, project);
    if (fatalError) return problem(fatalError.message);
    const cause = error.cause instanceof Error && error.message === "fetch failed" ? `: ${error.cause.message}` : "";
    const reason =
      error instanceof TimeoutError ? `no response within ${timeoutMs / 1000} s` : `${error.message}${cause}`;
    return { problems: [], warnings: [`Could not check ${what}: ${reason}`] };
  }
}
