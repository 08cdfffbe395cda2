import type { Middleware } from "koa";
import { validateEvent } from "../../pipeline/domain/validation";
import { encodeMessage, type EventMessage } from "../../pipeline/domain/wire";
import { parseJson, readBody, type BodyOptions } from "../body";
import { bodyFormat, JSON_TYPES } from "../contentHeaders";
import { RequestError } from "../errors";

export interface PostEventDeps {
  readonly publisher: {
    assertCapacity(): void;
    publish(message: EventMessage): Promise<void>;
  };
  readonly body: BodyOptions;
}

/** `POST /event/`: takes one event; 204 once Pub/Sub has acknowledged it. */
export function createPostEvent({ publisher, body }: PostEventDeps): Middleware {
  return async function postEvent(ctx) {
    // Before the body is read: what is refused for lack of room must not need room.
    publisher.assertCapacity();
    bodyFormat(ctx.req, JSON_TYPES);
    const input = await readBody(ctx.req, body, parseJson);
    const result = validateEvent(input, Date.now());
    if (!result.ok) throw new RequestError("INVALID_EVENT", { errors: result.errors });
    await publisher.publish(encodeMessage(result.event));
    ctx.status = 204;
  };
}
