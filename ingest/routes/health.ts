import type { Middleware } from "koa";

/** `GET /healthz`: the process is up. It ignores other services, so that their outage restarts no replica. */
export const healthz: Middleware = (ctx) => {
  ctx.body = { status: "ok" };
};

export interface ReadinessDeps {
  /** Why events cannot be published now; undefined when they can. */
  readonly problem: () => Promise<string | undefined>;
  readonly isDraining: () => boolean;
}

/** `GET /readyz`: 200 when events can be accepted, else 503 with the reason. */
export function createReadyz({ problem, isDraining }: ReadinessDeps): Middleware {
  return async function readyz(ctx) {
    const reason = isDraining() ? "This replica is stopping" : await problem();
    ctx.status = reason === undefined ? 200 : 503;
    ctx.body = reason === undefined ? { status: "ready" } : { status: "not ready", reason };
  };
}
