import assert from "node:assert/strict";
import { createRouter } from "./app";
import { ROUTES, routePattern } from "./routePattern";
import { appDeps } from "../testing/appServer";

describe("routePattern", () => {
  it("knows every route of the service, with and without its slash and a query", () => {
    for (const { path } of createRouter(appDeps()).router.stack) {
      const pattern = routePattern(String(path));
      assert.ok((ROUTES as readonly string[]).includes(pattern), String(path));
      for (const url of [`${String(path)}/`, `${String(path)}?a=/x/`, String(path).toUpperCase()]) {
        assert.equal(routePattern(url), pattern);
      }
    }
  });

  it("knows nothing else", () => {
    for (const url of ["", "/", "*", "/event//", "/events/x", "/constructor", "http://x/event/", "?", "event"]) {
      assert.equal(routePattern(url), "other");
    }
  });
});
