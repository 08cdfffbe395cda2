import type { Context } from "koa";
import type { ErrorCode } from "../http/errors";

/** What is learnt of a request on its way, for metrics and logs. Kept in Koa's `ctx.state`. */
export interface Findings {
  /** Of the error it is answered with. */
  error?: ErrorCode;
  /** Name of the key that it came with. */
  keyName?: string;
}

export function findingsOf(ctx: Pick<Context, "state">): Findings {
  const { state }: { state: Findings } = ctx;
  return state;
}
