import type { Middleware } from "koa";
import { validateEvent } from "@eventlogger/events/validation";
import { encodeMessage, type EventMessage } from "@eventlogger/events/eventMessage";
import { admit, type AdmissionCheck } from "../access/admission";
import { parseJson, readBody, type BodyOptions } from "../http/body/readBody";
import { bodyFormat, JSON_TYPES } from "../http/body/contentHeaders";
import { RequestError } from "../http/errors";
import type { EventMetrics } from "../telemetry/metrics/eventMetrics";

export interface PostEventDeps {
  readonly publisher: {
    assertCapacity(): void;
    publish(message: EventMessage): Promise<void>;
  };
  readonly body: BodyOptions;
  /** Event times before this are refused; epoch milliseconds. */
  readonly earliest: number;
  /** Undefined when anybody may send. */
  readonly admission: AdmissionCheck | undefined;
  readonly metrics: Pick<EventMetrics, "accepted" | "rejected" | "warned">;
}

/** Header of the answer that lists warnings, as `user_id placeholder`, separated by commas. */
export const WARNINGS_HEADER = "X-Event-Warnings";

/** `POST /event/`: accepts one event; answers 204 once Pub/Sub has acknowledged it. */
export function createPostEvent({ publisher, body, earliest, admission: check, metrics }: PostEventDeps): Middleware {
  const rules = { earliest };
  return async function postEvent(ctx) {
    // Before the body is read, so that a refused request needs no memory; before admission, so that it costs no tokens.
    publisher.assertCapacity();
    const admission = admit(ctx, check);
    bodyFormat(ctx.req, JSON_TYPES);
    const input = await readBody(ctx.req, body, parseJson);
    const result = validateEvent(input, Date.now(), rules);
    if (!result.ok) {
      metrics.rejected(result.errors);
      throw new RequestError("INVALID_EVENT", { errors: result.errors });
    }
    await publisher.publish(encodeMessage(result.event, result.propertiesJson));
    metrics.accepted(admission?.keyName, 1);
    if (result.warnings.length > 0) {
      for (const warning of result.warnings) metrics.warned(warning);
      ctx.set(WARNINGS_HEADER, result.warnings.map(({ field, code }) => `${field} ${code}`).join(", "));
    }
    // Koa's own end of a response clears headers that this one does not have, which takes several microseconds.
    ctx.respond = false;
    ctx.res.statusCode = 204;
    ctx.res.end();
  };
}
