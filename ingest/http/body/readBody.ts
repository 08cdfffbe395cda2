import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { parseExactJson } from "@eventlogger/events/exactJson";
import type { ArrivingBody, ByteBudget } from "./byteBudget";
import { bodyEncoding } from "./contentHeaders";
import { decompress } from "./decompress";
import { RequestError } from "../errors";

/**
 * How much of a body over the limit is read and discarded, as a multiple of the limit. A client that is still sending when
 * the connection closes may never see the error.
 */
const DISCARD_FACTOR = 16;

/** Text of Windows tools may begin with it. */
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

export interface BodyOptions {
  /** Maximum size of one body, both as sent and decompressed, bytes. */
  readonly limit: number;
  /** The memory that all bodies share. */
  readonly budget: ByteBudget;
}

/**
 * Receives a body without decompressing it.
 * @returns the body; its length stays reserved in the budget until the caller releases it
 * @throws RequestError BODY_TOO_LARGE, TOO_MANY_BODIES, or REQUEST_ABORTED when the client disconnects early.
 */
function receive(request: IncomingMessage, { limit, budget }: BodyOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const tooLarge = (): RequestError => new RequestError("BODY_TOO_LARGE", { detail: String(limit) });
    const length = Number(request.headers["content-length"]);
    if (length > limit * DISCARD_FACTOR) {
      reject(tooLarge());
      return;
    }
    let first: Buffer | undefined;
    let more: Buffer[] | undefined;
    let size = 0;
    let taken = 0;
    let refusal: RequestError | undefined;
    /** Only for a body that does not arrive in one piece. */
    let arriving: ArrivingBody | undefined;
    const refuse = (error: RequestError): void => {
      refusal ??= error;
      first = more = undefined;
      budget.give(taken);
      taken = 0;
      if (arriving) budget.arrived(arriving);
    };
    const evict = (): void => {
      const error = new RequestError("TOO_MANY_BODIES");
      refuse(error);
      request.pause();
      reject(error);
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
      if (size !== length) arriving ??= budget.arrives(evict);
      if (first === undefined) first = chunk;
      else (more ??= [first]).push(chunk);
    });
    request.on("end", () => {
      // The reservation belongs to the caller now.
      taken = 0;
      if (arriving) budget.arrived(arriving);
      if (refusal) reject(refusal);
      else resolve(more ? Buffer.concat(more, size) : (first ?? Buffer.alloc(0)));
    });
    // Node reports a client that disconnects early as ECONNRESET.
    request.on("error", (cause) => {
      const error = new RequestError("REQUEST_ABORTED", { cause });
      refuse(error);
      reject(error);
    });
  });
}

/**
 * Reads the body of a request, decompresses it, removes a byte order mark at its start, and passes it to `use`. The body counts against the budget until `use`
 * returns, so `use` must not keep it.
 * @returns the result of `use`
 * @throws RequestError when its size, compression or text encoding is invalid.
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
    return use(body.subarray(0, 3).equals(BYTE_ORDER_MARK) ? body.subarray(3) : body);
  } finally {
    budget.give(taken);
  }
}

/** Parses JSON, with marks for numbers that would lose digits. @throws RequestError INVALID_JSON */
export function parseJson(body: Buffer): unknown {
  try {
    return parseExactJson(body.toString("utf8"));
  } catch (error) {
    // V8 quotes the body in its message: cut it, to keep the answer small.
    const detail = body.length === 0 ? "the body is empty" : (error as Error).message.slice(0, 200);
    throw new RequestError("INVALID_JSON", { detail });
  }
}
