import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { ByteBudget } from "./byteBudget";
import { bodyEncoding } from "./contentHeaders";
import { decompress } from "./decompress";
import { RequestError } from "./errors";

/**
 * How much of a body over the limit is read and thrown away, as a multiple of the limit: a client that still sends when
 * the connection closes may lose the answer that tells it why.
 */
const DISCARD_FACTOR = 16;

export interface BodyOptions {
  /** Bytes of one body, as it is sent and decompressed. */
  readonly limit: number;
  /** What all bodies that are being read take together. */
  readonly budget: ByteBudget;
}

/**
 * The bytes of a body as they come.
 * @returns what has been taken from the budget is the length of the result; the caller gives it back
 * @throws RequestError BODY_TOO_LARGE, TOO_MANY_BODIES, or REQUEST_ABORTED when the client goes away before the end.
 */
function receive(request: IncomingMessage, { limit, budget }: BodyOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const tooLarge = (): RequestError => new RequestError("BODY_TOO_LARGE", { detail: String(limit) });
    if (Number(request.headers["content-length"]) > limit * DISCARD_FACTOR) {
      reject(tooLarge());
      return;
    }
    let first: Buffer | undefined;
    let more: Buffer[] | undefined;
    let size = 0;
    let taken = 0;
    let refusal: RequestError | undefined;
    const refuse = (error: RequestError): void => {
      refusal ??= error;
      first = more = undefined;
      budget.give(taken);
      taken = 0;
    };
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) refuse(tooLarge());
      else if (!refusal && !budget.take(chunk.length)) refuse(new RequestError("TOO_MANY_BODIES"));
      if (refusal) {
        if (size > limit * DISCARD_FACTOR) {
          request.pause();
          reject(refusal);
        }
        return;
      }
      taken += chunk.length;
      if (first === undefined) first = chunk;
      else (more ??= [first]).push(chunk);
    });
    request.on("end", () => {
      // The caller's from now on.
      taken = 0;
      if (refusal) reject(refusal);
      else resolve(more ? Buffer.concat(more, size) : (first ?? Buffer.alloc(0)));
    });
    // Also when the client goes away before the end: Node makes that an ECONNRESET.
    request.on("error", (cause) => {
      const error = new RequestError("REQUEST_ABORTED", { cause });
      refuse(error);
      reject(error);
    });
  });
}

/**
 * Reads the body of a request, decompresses it, and hands it to `use`. The body counts against the budget until `use`
 * has returned, so `use` must not keep it.
 * @returns what `use` returns
 * @throws RequestError when size, compression or text encoding are not as they must be.
 */
export async function readBody<T>(
  request: IncomingMessage,
  options: BodyOptions,
  use: (body: Buffer) => T,
): Promise<T> {
  const encoding = bodyEncoding(request);
  const { limit, budget } = options;
  let body = await receive(request, options);
  let taken = body.length;
  try {
    if (encoding !== "identity") {
      body = await decompress(body, encoding, limit, budget);
      taken += body.length;
    }
    if (!isUtf8(body)) throw new RequestError("INVALID_UTF8");
    return use(body);
  } finally {
    budget.give(taken);
  }
}

/** The JSON value in a text. @throws RequestError INVALID_JSON */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8")) as unknown;
  } catch (error) {
    // V8 quotes the body in its message: cut, so that an answer stays small.
    const detail = body.length === 0 ? "the body is empty" : (error as Error).message.slice(0, 200);
    throw new RequestError("INVALID_JSON", { detail });
  }
}
