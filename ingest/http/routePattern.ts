import { SEGMENT_NAMES, segmentPathOption, type SegmentEndpoint } from "@eventlogger/options/segmentPath";

/** The routes of this service's own interface, by their names in metrics and logs. */
export const ROUTES = [
  "/event/",
  "/events/",
  "/retention/",
  "/breakdowns/",
  "/hours/",
  "/client/eventlogger.js",
  "/healthz",
  "/readyz",
  "/metrics",
  "/openapi.json",
] as const;

/** The name of an endpoint for Segment's libraries. It does not depend on the path in front of them. */
export type SegmentRoute = `/v1/${SegmentEndpoint}`;

/** A route, or "other" for any other path. */
export type RoutePattern = (typeof ROUTES)[number] | SegmentRoute | "other";

/** Health checks and metrics, which must be answered even under overload. */
export const PROBES: ReadonlySet<string> = new Set<RoutePattern>(["/healthz", "/readyz", "/metrics"]);

const withoutSlash = (path: string): string => (path.endsWith("/") ? path.slice(0, -1) : path);
const segmentEndpoints = Object.entries(SEGMENT_NAMES) as [SegmentEndpoint, readonly string[]][];

/** The paths of the endpoints for Segment's libraries. @param segmentPath the path in front of them */
export function segmentPaths(
  segmentPath: string,
): readonly { readonly endpoint: SegmentEndpoint; readonly path: string; readonly route: SegmentRoute }[] {
  return segmentEndpoints.flatMap(([endpoint, names]) =>
    names.map((name) => ({ endpoint, path: `${segmentPath}/${name}`, route: `/v1/${endpoint}` as const })),
  );
}

/** Finds the route of a URL, ignoring its query. Does not throw. */
export type RouteOf = (url: string) => RoutePattern;

/** @param segmentPath the path in front of the endpoints for Segment's libraries */
export function createRouteOf(segmentPath: string): RouteOf {
  const own = ROUTES.map((route) => [withoutSlash(route), route] as const);
  // The router ignores case.
  const segment = segmentPaths(segmentPath).map(({ path, route }) => [path.toLowerCase(), route] as const);
  const byPath = new Map<string, RoutePattern>(
    [...own, ...segment].flatMap(([path, route]) => [
      [path, route],
      [`${path}/`, route],
    ]),
  );
  return function routeOf(url) {
    const query = url.indexOf("?");
    const path = query < 0 ? url : url.slice(0, query);
    return byPath.get(path) ?? byPath.get(path.toLowerCase()) ?? "other";
  };
}

/** {@link createRouteOf} with the default path. */
export const routePattern: RouteOf = createRouteOf(segmentPathOption.default);
