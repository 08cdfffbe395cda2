/** All routes, by their names in metrics and logs. */
export const ROUTES = [
  "/event/",
  "/events/",
  "/retention/",
  "/client/eventlogger.js",
  "/healthz",
  "/readyz",
  "/metrics",
  "/openapi.json",
] as const;

/** A route, or "other" for any other path. */
export type RoutePattern = (typeof ROUTES)[number] | "other";

/** Health checks and metrics, which must be answered even under overload. */
export const PROBES: ReadonlySet<string> = new Set<RoutePattern>(["/healthz", "/readyz", "/metrics"]);

const withoutSlash = (path: string): string => (path.endsWith("/") ? path.slice(0, -1) : path);
const byPath = new Map<string, RoutePattern>(
  ROUTES.flatMap((route) => [
    [withoutSlash(route), route],
    [`${withoutSlash(route)}/`, route],
  ]),
);

/** The route of a URL, ignoring its query. Does not throw. */
export function routePattern(url: string): RoutePattern {
  const query = url.indexOf("?");
  const path = query < 0 ? url : url.slice(0, query);
  // The router ignores case.
  return byPath.get(path) ?? byPath.get(path.toLowerCase()) ?? "other";
}
