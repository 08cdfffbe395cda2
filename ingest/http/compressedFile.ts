import { createHash } from "node:crypto";
import { brotliCompressSync, gzipSync } from "node:zlib";
import type { Context } from "koa";

type Encoding = "br" | "gzip" | "identity";
/** In the order of preference. */
const ENCODINGS: readonly Encoding[] = ["br", "gzip", "identity"];

/** A file that is served as it is, compressed once. */
export interface CompressedFile {
  /** A strong validator needs a tag of its own for each encoding (RFC 9110, 8.8.3.3). */
  readonly variants: Readonly<Record<Encoding, { readonly body: Buffer; readonly etag: string }>>;
}

/**
 * Prepares a file for serving.
 * @param compressed the same content compressed; without it, it is compressed now
 */
export function compressedFile(
  source: Buffer,
  { br, gzip }: { readonly br: Buffer; readonly gzip: Buffer } = {
    br: brotliCompressSync(source),
    gzip: gzipSync(source, { level: 9 }),
  },
): CompressedFile {
  const id = createHash("sha256").update(source).digest("base64url").slice(0, 22);
  return {
    variants: {
      br: { body: br, etag: `"${id}-br"` },
      gzip: { body: gzip, etag: `"${id}-gzip"` },
      identity: { body: source, etag: `"${id}"` },
    },
  };
}

/** Answers with a file in an encoding that the request accepts, or with 304 when the client has it. @param type its media type */
export function answerFile(ctx: Context, { variants }: CompressedFile, type: string): void {
  const encoding = ENCODINGS.find((name) => ctx.acceptsEncodings(name) === name) ?? "identity";
  const { body, etag } = variants[encoding];
  ctx.vary("Accept-Encoding");
  ctx.set("ETag", etag);
  ctx.set("X-Content-Type-Options", "nosniff");
  ctx.status = 200;
  if (ctx.fresh) {
    ctx.status = 304;
    return;
  }
  ctx.set("Content-Type", type);
  if (encoding !== "identity") ctx.set("Content-Encoding", encoding);
  ctx.body = body;
}
