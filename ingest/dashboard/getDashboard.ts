import { extname } from "node:path";
import type { Middleware } from "koa";
import { answerFile, type CompressedFile } from "../http/compressedFile";
import { DASHBOARD } from "../http/routePattern";

/** The files of the dashboard. */
export interface DashboardSite {
  readonly page: CompressedFile;
  /** By name. The name has a hash of the content. */
  readonly assets: ReadonlyMap<string, CompressedFile>;
}

const TYPES: Readonly<Record<string, string>> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/**
 * What the page may do: load its own files, and read numbers from the service that it comes from. No inline scripts or styles, no other
 * origin, no forms, no frames around it, and no text that becomes HTML.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** How long browsers may keep a file with a hash in its name, s. */
const MAX_AGE_SEC = 31_536_000;

const HEADERS = {
  "Content-Security-Policy": CONTENT_SECURITY_POLICY,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
};

/** `GET /dashboard/`: the page. It needs no key: the numbers do. */
export function createGetDashboard({ page }: Pick<DashboardSite, "page">): Middleware {
  return function getDashboard(ctx) {
    ctx.set(HEADERS);
    if (!ctx.path.endsWith("/")) {
      // Relative, for proxies that serve this service under another path.
      ctx.status = 308;
      ctx.set("Location", `dashboard/${ctx.search}`);
      return;
    }
    ctx.set("Cache-Control", "no-cache");
    answerFile(ctx, page, "text/html; charset=utf-8");
  };
}

const ASSETS = `${DASHBOARD}assets/`;

/** Answers requests for the files that the page loads, and passes on all others. Their names change with each release. */
export function dashboardAssets({ assets }: Pick<DashboardSite, "assets">): Middleware {
  return function dashboardAssets(ctx, next) {
    const { method, path } = ctx;
    if (!path.startsWith(ASSETS) || (method !== "GET" && method !== "HEAD")) return next();
    const name = path.slice(ASSETS.length);
    const asset = assets.get(name);
    if (!asset) return next();
    ctx.set(HEADERS);
    ctx.set("Cache-Control", `public, max-age=${MAX_AGE_SEC}, immutable`);
    return answerFile(ctx, asset, TYPES[extname(name)] ?? "application/octet-stream");
  };
}
