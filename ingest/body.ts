import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { RequestError } from "./errors";

/**
 * How much of a body over the limit is read and thrown away, as a multiple of the limit: a client that still sends when
 * the connection closes may lose the answer that tells it why.
 */
const DISCARD_FACTOR = 16;

/** Why the headers of a request rule out a JSON body in UTF-8, or undefined. */
function headersProblem(request: IncomingMessage): RequestError | undefined {
  const type = request.headers["content-type"];
  if (type !== "application/json" && !isJsonType(type)) {
    return new RequestError("UNSUPPORTED_CONTENT_TYPE", { detail: type ? JSON.stringify(type) : "absent" });
  }
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    return new RequestError("UNSUPPORTED_CONTENT_ENCODING", { detail: JSON.stringify(encoding) });
  }
  return undefined;
}

function isJsonType(type: string | undefined): boolean {
  if (type === undefined || !/^application\/json\s*(;|$)/i.test(type)) return false;
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(type)?.[1];
  return charset === undefined || /^utf-?8$/i.test(charset);
}

/**
 * The whole body of a request.
 * @param limit bytes
 * @throws RequestError BODY_TOO_LARGE, or REQUEST_ABORTED when the client goes away before the end.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const tooLarge = (): RequestError => new RequestError("BODY_TOO_LARGE", { detail: String(limit) });
    if (Number(request.headers["content-length"]) > limit * DISCARD_FACTOR) {
      reject(tooLarge());
      return;
    }
    let first: Buffer | undefined;
    let more: Buffer[] | undefined;
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        first = more = undefined;
        if (size > limit * DISCARD_FACTOR) {
          request.pause();
          reject(tooLarge());
        }
      } else if (first === undefined) first = chunk;
      else (more ??= [first]).push(chunk);
    });
    request.on("end", () => {
      if (size > limit) reject(tooLarge());
      else resolve(more ? Buffer.concat(more, size) : (first ?? Buffer.alloc(0)));
    });
    // Also when the client goes away before the end: Node makes that an ECONNRESET.
    request.on("error", (cause) => reject(new RequestError("REQUEST_ABORTED", { cause })));
  });
}

/**
 * The JSON value in the body of a request.
 * @param limit bytes
 * @throws RequestError when headers, size, encoding or syntax are not as they must be.
 */
export async function readJsonBody(request: IncomingMessage, limit: number): Promise<unknown> {
  const problem = headersProblem(request);
  if (problem) throw problem;
  const body = await readBody(request, limit);
  if (!isUtf8(body)) throw new RequestError("INVALID_UTF8");
  try {
    return JSON.parse(body.toString("utf8")) as unknown;
  } catch (error) {
    // V8 quotes the body in its message: cut, so that an answer stays small.
    const detail = body.length === 0 ? "the body is empty" : (error as Error).message.slice(0, 200);
    throw new RequestError("INVALID_JSON", { detail });
  }
}
