/** Every route, as metrics and logs call it. */
export const ROUTES = ["/event/", "/events/", "/healthz", "/readyz", "/metrics", "/openapi.json"] as const;

/** A route, or what is none. */
export type RoutePattern = (typeof ROUTES)[number] | "other";

/** What is asked how a replica does: often, and most when it does badly. */
export const PROBES: ReadonlySet<string> = new Set<RoutePattern>(["/healthz", "/readyz", "/metrics"]);

const withoutSlash = (path: string): string => (path.endsWith("/") ? path.slice(0, -1) : path);
const byPath = new Map<string, RoutePattern>(
  ROUTES.flatMap((route) => [
    [withoutSlash(route), route],
    [`${withoutSlash(route)}/`, route],
  ]),
);

/** Which route an address belongs to, whatever its query. Does not throw. */
export function routePattern(url: string): RoutePattern {
  const query = url.indexOf("?");
  const path = query < 0 ? url : url.slice(0, query);
  // The router does not mind how it is written.
  return byPath.get(path) ?? byPath.get(path.toLowerCase()) ?? "other";
}
