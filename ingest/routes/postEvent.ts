import type { Middleware } from "koa";
import { validateEvent, type FieldWarning } from "@eventlogger/events/validation";
import { encodeMessage, type EventMessage } from "@eventlogger/events/eventMessage";
import { admit } from "../access/admission";
import { parseJson, readBody } from "../http/body/readBody";
import { bodyFormat, JSON_TYPES } from "../http/body/contentHeaders";
import { RequestError } from "../http/errors";
import { postingRules, senderOf, type PostingDeps } from "./posting";

export interface PostEventDeps extends Omit<PostingDeps, "publisher"> {
  readonly publisher: Pick<PostingDeps["publisher"], "assertCapacity"> & {
    publish(message: EventMessage): Promise<void>;
  };
}

/** Header of the answer that lists warnings, as `user_id placeholder`, separated by commas. */
export const WARNINGS_HEADER = "X-Event-Warnings";

/** Header of the answer with the id of the event (see {@link eventIdHeader}). */
export const EVENT_ID_HEADER = "X-Event-Id";

const VISIBLE = /^[!-$&-~]+$/;

/** An event id as a header has it: as it is when it consists of visible ASCII without `%`, otherwise percent-encoded UTF-8. */
export function eventIdHeader(eventId: string): string {
  return VISIBLE.test(eventId) ? eventId : encodeURIComponent(eventId);
}

const FIELD_NAME = /^[\w-]{1,64}$/;

/** The warnings as the header has them. An unknown field may have any name, which a header could not have. */
function warningsHeader(warnings: readonly FieldWarning[]): string {
  return warnings.map(({ field, code }) => `${FIELD_NAME.test(field) ? field : "unknown_field"} ${code}`).join(", ");
}

/** `POST /event/`: accepts one event; answers 204 once Pub/Sub has acknowledged it. */
export function createPostEvent(deps: PostEventDeps): Middleware {
  const { publisher, body, admission: check, metrics } = deps;
  return async function postEvent(ctx) {
    // Before the body is read, so that a refused request needs no memory; before admission, so that it costs no tokens.
    publisher.assertCapacity();
    const admission = admit(ctx, check);
    bodyFormat(ctx.req, JSON_TYPES);
    const rules = postingRules(deps, senderOf(ctx.req, admission, deps));
    const input = await readBody(ctx.req, body, parseJson);
    const result = validateEvent(input, Date.now(), rules);
    if (!result.ok) {
      metrics.rejected(result.errors);
      if (result.isTimeOutOfRange) metrics.counted(admission?.keyName, { refusedTimes: 1 });
      throw new RequestError("INVALID_EVENT", { errors: result.errors });
    }
    const { event, warnings, hasUnknownFields } = result;
    if (event.anonymous_id !== null) admission?.chargeNewIds([event.anonymous_id]);
    await publisher.publish(encodeMessage(event, result.propertiesJson));
    metrics.accepted(admission?.keyName, 1);
    if (hasUnknownFields) metrics.counted(admission?.keyName, { unknownFields: 1 });
    if (event.original_event_time !== null) metrics.counted(admission?.keyName, { correctedTimes: 1 });
    if (warnings.length > 0) {
      for (const warning of warnings) metrics.warned(warning);
      ctx.set(WARNINGS_HEADER, warningsHeader(warnings));
    }
    // Koa's own end of a response clears headers that this one does not have, which takes several microseconds.
    ctx.respond = false;
    ctx.res.setHeader(EVENT_ID_HEADER, eventIdHeader(event.event_id));
    ctx.res.statusCode = 204;
    ctx.res.end();
  };
}
