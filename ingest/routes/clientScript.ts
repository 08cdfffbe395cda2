import { readFileSync } from "node:fs";
import type { Middleware } from "koa";
import { answerFile, compressedFile, type CompressedFile } from "../http/compressedFile";

/** How long browsers and caches may keep the script without asking again, s. */
const MAX_AGE_SEC = 3600;

/** Reads the built script of the package @eventlogger/client. @throws Error when it has not been built */
export function readClientScript(): CompressedFile {
  let source: Buffer;
  try {
    source = readFileSync(require.resolve("@eventlogger/client/eventlogger.iife.js"));
  } catch (cause) {
    throw new Error("The script of @eventlogger/client is missing: run npm run build", { cause });
  }
  return compressedFile(source);
}

/**
 * `GET /client/eventlogger.js`: the browser client for a script tag. Any origin may read it: browsers check an integrity
 * hash only on scripts that they may read.
 */
export function createGetClientScript(script: CompressedFile): Middleware {
  return function getClientScript(ctx) {
    ctx.set("Access-Control-Allow-Origin", "*");
    ctx.set("Cache-Control", `public, max-age=${MAX_AGE_SEC}`);
    answerFile(ctx, script, "text/javascript; charset=utf-8");
  };
}
