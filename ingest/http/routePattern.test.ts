import assert from "node:assert/strict";
import { createRouter } from "./app";
import { createRouteOf, ROUTES, routePattern, segmentPaths } from "./routePattern";
import { appDeps } from "../testing/appServer";

describe("routePattern", () => {
  it("routePattern matches every route, with and without trailing slash and query", () => {
    const known: readonly string[] = [...ROUTES, ...segmentPaths("/v1").map(({ route }) => route)];
    for (const { path } of createRouter(appDeps()).router.stack) {
      const pattern = routePattern(String(path));
      assert.ok(known.includes(pattern), String(path));
      for (const url of [`${String(path)}/`, `${String(path)}?a=/x/`, String(path).toUpperCase()]) {
        assert.equal(routePattern(url), pattern);
      }
    }
  });

  it("the routes of Segment's libraries have the same names behind any path and for all names of an endpoint", () => {
    const routeOf = createRouteOf("/Collect/x");
    for (const [path, route] of [
      ["/Collect/x/batch", "/v1/batch"],
      ["/collect/x/b/", "/v1/batch"],
      ["/Collect/x/import?a", "/v1/batch"],
      ["/Collect/x/t", "/v1/track"],
      ["/Collect/x/screen", "/v1/screen"],
      ["/v1/batch", "other"],
      ["/Collect/x/none", "other"],
    ] as const) {
      assert.equal(routeOf(path), route, path);
    }
  });

  it("routePattern returns other for any other path", () => {
    for (const url of ["", "/", "*", "/event//", "/events/x", "/constructor", "http://x/event/", "?", "event"]) {
      assert.equal(routePattern(url), "other");
    }
  });
});
