import type { Middleware } from "koa";

/** `GET /healthz`: the process is up. Says nothing of the services behind it, so that an outage there restarts nobody. */
export const healthz: Middleware = (ctx) => {
  ctx.body = { status: "ok" };
};

export interface ReadinessDeps {
  /** Why publishing is not possible now, or undefined. */
  readonly problem: () => Promise<string | undefined>;
  readonly isDraining: () => boolean;
}

/** `GET /readyz`: 200 when events can be taken, else 503 with the reason. */
export function createReadyz({ problem, isDraining }: ReadinessDeps): Middleware {
  return async function readyz(ctx) {
    const reason = isDraining() ? "This replica is stopping" : await problem();
    ctx.status = reason === undefined ? 200 : 503;
    ctx.body = reason === undefined ? { status: "ready" } : { status: "not ready", reason };
  };
}
