import type { Middleware } from "koa";
import type { OpenApiDocument } from "../openapi/document";

/** `GET /openapi.json`: the OpenAPI document of this interface. */
export function createGetOpenApi(document: OpenApiDocument): Middleware {
  const text = JSON.stringify(document);
  return function getOpenApi(ctx) {
    ctx.set("Cache-Control", "no-cache");
    ctx.type = "application/json";
    ctx.body = text;
  };
}
