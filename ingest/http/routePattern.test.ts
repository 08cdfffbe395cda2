import assert from "node:assert/strict";
import { createRouter } from "./app";
import { ROUTES, routePattern } from "./routePattern";
import { appDeps } from "../testing/appServer";

describe("routePattern", () => {
  it("routePattern matches every route, with and without trailing slash and query", () => {
    for (const { path } of createRouter(appDeps()).router.stack) {
      const pattern = routePattern(String(path));
      assert.ok((ROUTES as readonly string[]).includes(pattern), String(path));
      for (const url of [`${String(path)}/`, `${String(path)}?a=/x/`, String(path).toUpperCase()]) {
        assert.equal(routePattern(url), pattern);
      }
    }
  });

  it("routePattern returns other for any other path", () => {
    for (const url of ["", "/", "*", "/event//", "/events/x", "/constructor", "http://x/event/", "?", "event"]) {
      assert.equal(routePattern(url), "other");
    }
  });
});
