const GRPC_PERMISSION_DENIED = 7;
const HTTP_FORBIDDEN = 403;

/** Whether an error of one of Google's clients says that something is not permitted. */
export function isForbidden(error: unknown): boolean {
  const code: unknown = (error as { code?: unknown } | null)?.code;
  return code === GRPC_PERMISSION_DENIED || code === HTTP_FORBIDDEN;
}

/** The API that must be enabled first, such as `pubsub.googleapis.com`, where an error says that. */
export function disabledApi(message: string): string | undefined {
  if (!/SERVICE_DISABLED|has not been used in project|API is (?:disabled|not enabled)|it is disabled/i.test(message)) {
    return undefined;
  }
  return /\b[a-z-]+\.googleapis\.com\b/.exec(message.replaceAll("console.developers.google.com", ""))?.[0];
}

/** An API must be enabled in a project before anything else. */
export class ApiDisabledError extends Error {
  constructor(api: string, project: string, cause?: unknown) {
    const command = `gcloud services enable ${api} --project=${project}`;
    super(`The API ${api} is disabled in project ${project}. Enable it: ${command}`, { cause });
    this.name = "ApiDisabledError";
  }
}

/** What a call needs. */
export interface Need {
  readonly project: string;
  /** Such as `pubsub.topics.create`. */
  readonly permission: string;
  /** What the permission is needed on, such as `topic events`. */
  readonly resource: string;
}

/**
 * Makes a call of one of Google's clients.
 * @throws Error that names the missing permission and the resource, or the API that is disabled, when that is why the call
 *   failed; else the client's error
 */
export async function withPermission<T>({ project, permission, resource }: Need, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!isForbidden(error)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const api = disabledApi(reason);
    if (api !== undefined) throw new ApiDisabledError(api, project, error);
    throw new Error(
      `The permission ${permission} is missing on ${resource} in project ${project} ` +
        `(README, "Permissions", has the roles that hold it): ${reason}`,
      { cause: error },
    );
  }
}
