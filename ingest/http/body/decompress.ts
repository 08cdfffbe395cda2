import { constants, createBrotliDecompress, createGunzip } from "node:zlib";
import type { ByteBudget } from "./byteBudget";
import type { BodyEncoding } from "./contentHeaders";
import { RequestError } from "../errors";

/** Size of an output chunk, bytes: each chunk costs a trip to the thread pool. */
const PIECE = 65_536;

/**
 * Decompresses a body and stops as soon as the result exceeds the limit, because a small body can hold gigabytes.
 * @param limit maximum size of the result, bytes
 * @param budget each chunk of the result is reserved here; the caller releases it. After an error nothing stays reserved.
 * @throws RequestError BODY_TOO_LARGE, TOO_MANY_BODIES, or INVALID_COMPRESSION when the data is not valid.
 */
export function decompress(
  body: Buffer,
  encoding: Exclude<BodyEncoding, "identity">,
  limit: number,
  budget: ByteBudget,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream =
      encoding === "gzip"
        ? createGunzip({ chunkSize: PIECE })
        : createBrotliDecompress({
            chunkSize: PIECE,
            // With "large windows" a few bytes could request a gigabyte of memory.
            params: { [constants.BROTLI_DECODER_PARAM_LARGE_WINDOW]: 0 },
          });
    const pieces: Buffer[] = [];
    let size = 0;
    const fail = (error: RequestError): void => {
      stream.destroy();
      pieces.length = 0;
      budget.give(size);
      size = 0;
      reject(error);
    };
    stream.on("data", (piece: Buffer) => {
      if (size + piece.length > limit) fail(new RequestError("BODY_TOO_LARGE", { detail: String(limit) }));
      else if (!budget.take(piece.length)) fail(new RequestError("TOO_MANY_BODIES"));
      else {
        size += piece.length;
        pieces.push(piece);
      }
    });
    stream.on("end", () => resolve(pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, size)));
    stream.on("error", (cause) => fail(new RequestError("INVALID_COMPRESSION", { detail: encoding, cause })));
    stream.end(body);
  });
}
