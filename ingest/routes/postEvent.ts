import type { Middleware } from "koa";
import { validateEvent } from "@eventlogger/events/validation";
import { encodeMessage, type EventMessage } from "@eventlogger/events/eventMessage";
import { admit, type Gate } from "../access/gate";
import { parseJson, readBody, type BodyOptions } from "../http/body";
import { bodyFormat, JSON_TYPES } from "../http/contentHeaders";
import { RequestError } from "../http/errors";
import type { EventMetrics } from "../telemetry/eventMetrics";

export interface PostEventDeps {
  readonly publisher: {
    assertCapacity(): void;
    publish(message: EventMessage): Promise<void>;
  };
  readonly body: BodyOptions;
  /** Undefined: anybody may send. */
  readonly gate: Gate | undefined;
  readonly metrics: Pick<EventMetrics, "accepted" | "rejected">;
}

/** `POST /event/`: takes one event; 204 once Pub/Sub has acknowledged it. */
export function createPostEvent({ publisher, body, gate, metrics }: PostEventDeps): Middleware {
  return async function postEvent(ctx) {
    // Before the body is read: what is refused must not need room. And before the gate: it counts against no rate.
    publisher.assertCapacity();
    const admission = admit(ctx, gate);
    bodyFormat(ctx.req, JSON_TYPES);
    const input = await readBody(ctx.req, body, parseJson);
    const result = validateEvent(input, Date.now());
    if (!result.ok) {
      metrics.rejected(result.errors);
      throw new RequestError("INVALID_EVENT", { errors: result.errors });
    }
    await publisher.publish(encodeMessage(result.event));
    metrics.accepted(admission?.keyName, 1);
    ctx.status = 204;
  };
}
