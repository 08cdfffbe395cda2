/** Credentials are missing, expired or revoked. The message tells how to log in. */
export class CredentialsError extends Error {
  constructor(reason: string) {
    super(
      `No valid Google credentials: ${reason}\n` +
        "Log in with `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to another " +
        "credentials file.",
    );
    this.name = "CredentialsError";
  }
}

/** A Google API rejected a request, or could not be reached after several attempts. */
export class GoogleApiError extends Error {
  constructor(
    /** Start of the message, such as `Cannot drain job x`. */
    what: string,
    /** HTTP status; undefined when there was no response. */
    readonly status: number | undefined,
    readonly reason: string,
  ) {
    const permission = status === 403 ? missingPermission(reason) : undefined;
    const hint = permission
      ? `\nAsk for a role with the permission ${permission} (see docs/operations/permissions.md).`
      : "";
    super(`${what}: ${status === undefined ? "" : `HTTP ${status}: `}${reason}${hint}`);
    this.name = "GoogleApiError";
  }
}

/** The permission that an error message names, such as `dataflow.jobs.create`. */
export function missingPermission(reason: string): string | undefined {
  const words = reason.split(/[\s,;:'"()]+/).map((word) => word.replace(/\.$/, ""));
  return words.find((word) => /^[a-z]+\.[a-zA-Z]+\.[a-zA-Z]+$/.test(word) && !word.endsWith(".com"));
}

/** The reason in the body of an error response. Google's APIs and its token service use different formats. */
export function reasonOf(body: string): string {
  try {
    const { error, error_description } = JSON.parse(body) as {
      error?: { message?: string } | string;
      error_description?: string;
    };
    if (typeof error === "string") return error_description ? `${error}: ${error_description}` : error;
    if (error?.message) return error.message;
  } catch {
    // Not JSON: the response of a proxy.
  }
  return body.trim().slice(0, 300) || "no reason given";
}
