import type { Middleware } from "koa";
import { validateEvent } from "../../pipeline/domain/validation";
import { encodeMessage, type EventMessage } from "../../pipeline/domain/wire";
import { readJsonBody } from "../body";
import { RequestError } from "../errors";

export interface PostEventDeps {
  readonly publisher: {
    assertCapacity(): void;
    publish(message: EventMessage): Promise<void>;
  };
  /** Bytes. */
  readonly bodyLimit: number;
}

/** `POST /event/`: takes one event; 204 once Pub/Sub has acknowledged it. */
export function createPostEvent({ publisher, bodyLimit }: PostEventDeps): Middleware {
  return async function postEvent(ctx) {
    // Before the body is read: what is refused for lack of room must not need room.
    publisher.assertCapacity();
    const input = await readJsonBody(ctx.req, bodyLimit);
    const result = validateEvent(input, Date.now());
    if (!result.ok) throw new RequestError("INVALID_EVENT", { errors: result.errors });
    await publisher.publish(encodeMessage(result.event));
    ctx.status = 204;
  };
}
