/** Status codes in errors of Google's clients. gRPC codes end at 16, so that they never equal an HTTP status. */
const CODES = {
  alreadyExists: { grpc: 6, http: 409 },
  invalidRequest: { grpc: 3, http: 400 },
  forbidden: { grpc: 7, http: 403 },
  notFound: { grpc: 5, http: 404 },
} as const;

function hasCode(error: unknown, { grpc, http }: { readonly grpc: number; readonly http: number }): boolean {
  const code: unknown = (error as { code?: unknown } | null)?.code;
  return code === grpc || code === http;
}

/** Whether a client reports that a resource exists already. */
export function isAlreadyExists(error: unknown): boolean {
  return hasCode(error, CODES.alreadyExists);
}

/** Whether a client reports that a request is invalid. */
export function isInvalidRequest(error: unknown): boolean {
  return hasCode(error, CODES.invalidRequest);
}

/** Whether a client reports that the caller lacks a permission. */
export function isForbidden(error: unknown): boolean {
  return hasCode(error, CODES.forbidden);
}

/** Whether a client reports that a resource does not exist. */
export function isNotFound(error: unknown): boolean {
  return hasCode(error, CODES.notFound);
}

/** The result of a call; undefined when the resource does not exist. */
export async function undefinedIfNotFound<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
