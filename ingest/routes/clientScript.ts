import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";
import type { Middleware } from "koa";

/** How long browsers and caches may keep the script without asking again, s. */
const MAX_AGE_SEC = 3600;

type Encoding = "br" | "gzip" | "identity";
/** In the order of preference. */
const ENCODINGS: readonly Encoding[] = ["br", "gzip", "identity"];

/** The script of the browser client, compressed once. */
export interface ClientScript {
  /** A strong validator needs a tag of its own for each encoding (RFC 9110, 8.8.3.3). */
  readonly variants: Readonly<Record<Encoding, { readonly body: Buffer; readonly etag: string }>>;
}

/** Prepares a script for serving. */
export function clientScript(source: Buffer): ClientScript {
  const id = createHash("sha256").update(source).digest("base64url").slice(0, 22);
  return {
    variants: {
      br: { body: brotliCompressSync(source), etag: `"${id}-br"` },
      gzip: { body: gzipSync(source, { level: 9 }), etag: `"${id}-gzip"` },
      identity: { body: source, etag: `"${id}"` },
    },
  };
}

/** Reads the built script of the package @eventlogger/client. @throws Error when it has not been built */
export function readClientScript(): ClientScript {
  let source: Buffer;
  try {
    source = readFileSync(require.resolve("@eventlogger/client/eventlogger.iife.js"));
  } catch (cause) {
    throw new Error("The script of @eventlogger/client is missing: run npm run build", { cause });
  }
  return clientScript(source);
}

/**
 * `GET /client/eventlogger.js`: the browser client for a script tag. Any origin may read it: browsers check an integrity
 * hash only on scripts that they may read.
 */
export function createGetClientScript({ variants }: ClientScript): Middleware {
  return function getClientScript(ctx) {
    const encoding = ENCODINGS.find((name) => ctx.acceptsEncodings(name) === name) ?? "identity";
    const { body, etag } = variants[encoding];
    ctx.vary("Accept-Encoding");
    ctx.set("Access-Control-Allow-Origin", "*");
    ctx.set("Cache-Control", `public, max-age=${MAX_AGE_SEC}`);
    ctx.set("ETag", etag);
    ctx.set("X-Content-Type-Options", "nosniff");
    ctx.status = 200;
    if (ctx.fresh) {
      ctx.status = 304;
      return;
    }
    ctx.set("Content-Type", "text/javascript; charset=utf-8");
    if (encoding !== "identity") ctx.set("Content-Encoding", encoding);
    ctx.body = body;
  };
}
