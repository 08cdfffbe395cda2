/**
 * Why numbers cannot be read:
 * `key` a read key is missing or not valid, `network` no answer, `busy` the service asks to retry later, `refused` any other error
 * answer, `unreadable` the answer is not what the service sends.
 */
export type ProblemKind = "key" | "network" | "busy" | "refused" | "unreadable";

/** A request that gave no numbers. The message is a full sentence for the reader. */
export class ApiProblem extends Error {
  constructor(
    readonly kind: ProblemKind,
    message: string,
    /** When the service says that a retry makes sense, ms from now. */
    readonly retryAfterMs?: number,
  ) {
    super(message);
    this.name = "ApiProblem";
  }
}

interface ErrorAnswer {
  readonly errors?: readonly { readonly field: string; readonly message: string }[];
}

/** The messages of an error answer; undefined when its body is something else. */
async function messagesOf(response: Response): Promise<string | undefined> {
  try {
    const { errors } = (await response.json()) as ErrorAnswer;
    return errors?.map(({ field, message }) => (field === "" ? message : `${field} ${message}`)).join("; ");
  } catch {
    return undefined;
  }
}

/** The problem of an answer that is not 200. */
export async function problemOf(response: Response, path: string): Promise<ApiProblem> {
  const given = await messagesOf(response);
  const message = given === undefined ? `${path} answered ${response.status}` : `${given} (${response.status})`;
  if (response.status === 401) return new ApiProblem("key", given ?? message);
  const retryAfter = Number(response.headers.get("Retry-After") ?? NaN);
  if (Number.isNaN(retryAfter)) return new ApiProblem("refused", message);
  return new ApiProblem("busy", message, retryAfter * 1000);
}
