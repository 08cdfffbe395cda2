import type { Context } from "koa";
import type { ErrorCode } from "../http/errors";

/** What metrics and logs need to know about a request. Kept in Koa's `ctx.state`. */
export interface RequestContext {
  /** Code of the error in the answer. */
  error?: ErrorCode;
  /** Name of the key that the request presented. */
  keyName?: string;
}

export function requestContextOf(ctx: Pick<Context, "state">): RequestContext {
  const { state }: { state: RequestContext } = ctx;
  return state;
}
