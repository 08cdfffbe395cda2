import type { Middleware } from "koa";
import { validateEvent } from "../../pipeline/domain/validation";
import { encodeMessage, type EventMessage } from "../../pipeline/domain/wire";
import type { Gate } from "../access/gate";
import { parseJson, readBody, type BodyOptions } from "../body";
import { bodyFormat, JSON_TYPES } from "../contentHeaders";
import { RequestError } from "../errors";

export interface PostEventDeps {
  readonly publisher: {
    assertCapacity(): void;
    publish(message: EventMessage): Promise<void>;
  };
  readonly body: BodyOptions;
  /** Undefined: anybody may send. */
  readonly gate: Gate | undefined;
}

/** `POST /event/`: takes one event; 204 once Pub/Sub has acknowledged it. */
export function createPostEvent({ publisher, body, gate }: PostEventDeps): Middleware {
  return async function postEvent(ctx) {
    // Before the body is read: what is refused must not need room.
    gate?.(ctx.req);
    publisher.assertCapacity();
    bodyFormat(ctx.req, JSON_TYPES);
    const input = await readBody(ctx.req, body, parseJson);
    const result = validateEvent(input, Date.now());
    if (!result.ok) throw new RequestError("INVALID_EVENT", { errors: result.errors });
    await publisher.publish(encodeMessage(result.event));
    ctx.status = 204;
  };
}
