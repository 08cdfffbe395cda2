import { isForbidden } from "./errorCode";

/** The API that an error message reports as disabled, such as `pubsub.googleapis.com`; undefined for other errors. */
export function disabledApi(message: string): string | undefined {
  if (!/SERVICE_DISABLED|has not been used in project|API is (?:disabled|not enabled)|it is disabled/i.test(message)) {
    return undefined;
  }
  return /\b[a-z-]+\.googleapis\.com\b/.exec(message.replaceAll("console.developers.google.com", ""))?.[0];
}

/** An API is disabled in the project. The message has the command that enables it. */
export class ApiDisabledError extends Error {
  constructor(api: string, project: string, cause?: unknown) {
    const command = `gcloud services enable ${api} --project=${project}`;
    super(`The API ${api} is disabled in project ${project}. Enable it: ${command}`, { cause });
    this.name = "ApiDisabledError";
  }
}

/** The permission that a call needs. */
export interface Need {
  readonly project: string;
  /** Such as `pubsub.topics.create`. */
  readonly permission: string;
  /** The resource of the permission, such as `topic events`. */
  readonly resource: string;
}

/** The needs of several calls on one resource: `needsOn(project, "topic events")("pubsub.topics.get")`. */
export function needsOn(project: string, resource: string): (permission: string) => Need {
  return (permission) => ({ project, permission, resource });
}

/**
 * Runs a call of one of Google's clients.
 * @throws Error that names the missing permission and the resource; ApiDisabledError; otherwise the client's error
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
      `Permission ${permission} is missing on ${resource} in project ${project} ` +
        `(docs/operations/permissions.md lists the roles that grant it): ${reason}`,
      { cause: error },
    );
  }
}
