import type { Middleware } from "koa";
import type { FieldError, PostingRules } from "@eventlogger/events/validation";
import type { SegmentEndpoint } from "@eventlogger/options/segmentPath";
import { admit, recordKey } from "../access/admission";
import { bodyFormat, JSON_TYPES } from "../http/body/contentHeaders";
import { readBody } from "../http/body/readBody";
import { RequestError } from "../http/errors";
import type { EventWarning, RejectedEvent } from "../routes/batches/batchEvents";
import { postingRules, publishEvents, senderOf } from "../routes/posting";
import { MAX_WARNINGS, type PostEventsDeps } from "../routes/postEvents";
import type { EventMetrics } from "../telemetry/metrics/eventMetrics";
import { acceptCalls, errorsOfCall, fieldOfCall } from "./acceptCalls";
import { readSegment } from "./readSegment";

export interface PostSegmentDeps extends Omit<PostEventsDeps, "metrics"> {
  readonly metrics: PostEventsDeps["metrics"] & Pick<EventMetrics, "segmentCall">;
}

/** The answer of Segment's API, with more about a batch than Segment tells. */
export interface SegmentAnswer {
  readonly success: true;
  /** The calls of the batch that were not accepted; absent when all were. */
  readonly rejected?: readonly RejectedEvent[];
  /** About accepted calls; absent when there are none. */
  readonly warnings?: readonly EventWarning[];
}

/** Maximum number of errors in the answer to a batch without a valid call. */
const MAX_ERRORS = 20;

function errorsOfBatch(rejected: readonly RejectedEvent[]): readonly FieldError[] {
  return rejected
    .slice(0, MAX_ERRORS)
    .flatMap(({ index, errors }) =>
      errorsOfCall(errors).map(({ field, message }) => ({ field: `batch[${index}]${field && `.${field}`}`, message })),
    )
    .slice(0, MAX_ERRORS);
}

/**
 * An endpoint of Segment's tracking API (https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/),
 * for its libraries. Calls become events, and are accepted like those of `POST /events/`; the answer is 200 once Pub/Sub has
 * acknowledged all valid ones. Libraries drop what is answered with 400, so a batch gets it only when no call is valid.
 */
export function createPostSegment(endpoint: SegmentEndpoint, deps: PostSegmentDeps): Middleware {
  const { publisher, body, admission: check, metrics, maxEvents } = deps;
  return async function postSegment(ctx) {
    // Before the body is read, so that a refused request needs no memory; before admission, so that it costs no tokens.
    publisher.assertCapacity();
    const admission = admit(ctx, check, "segment");
    bodyFormat(ctx.req, JSON_TYPES);
    const { events, calls } = await readBody(ctx.req, body, (bytes) => {
      const request = readSegment(bytes, endpoint, maxEvents);
      admission?.presentKey(request.writeKey);
      const rulesOf = (userAgent: string | undefined): PostingRules =>
        postingRules(deps, senderOf(ctx.req, admission, deps, userAgent));
      return acceptCalls(request, bytes, Date.now(), rulesOf);
    });
    recordKey(ctx, admission);
    if (endpoint === "batch") metrics.batch(events.size);
    await publishEvents(deps, admission, events);
    for (const call of calls) metrics.segmentCall(call);
    const { messages, rejected, warnings } = events;
    if (rejected.length > 0 && messages.length === 0) {
      const [first] = rejected;
      const errors = endpoint === "batch" ? errorsOfBatch(rejected) : errorsOfCall(first?.errors ?? []);
      throw new RequestError("INVALID_EVENT", { errors });
    }
    const answer: SegmentAnswer = {
      success: true,
      ...(rejected.length > 0 && {
        rejected: rejected.map(({ index, errors }) => ({ index, errors: errorsOfCall(errors) })),
      }),
      ...(warnings.length > 0 && {
        warnings: warnings.slice(0, MAX_WARNINGS).map((each) => ({ ...each, field: fieldOfCall(each.field) })),
      }),
    };
    ctx.body = answer;
  };
}
