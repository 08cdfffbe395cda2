import type { Middleware } from "koa";
import { admit } from "../access/admission";
import type { EventWarning, RejectedEvent } from "./batches/batchEvents";
import { readBatch } from "./batches/readBatch";
import { postingRules, publishEvents, senderOf, type PostingDeps } from "./posting";
import { readBody } from "../http/body/readBody";
import { bodyFormat, JSON_OR_NDJSON_TYPES } from "../http/body/contentHeaders";
import { RequestError } from "../http/errors";
import type { EventMetrics } from "../telemetry/metrics/eventMetrics";

export interface PostEventsDeps extends PostingDeps {
  readonly metrics: PostingDeps["metrics"] & Pick<EventMetrics, "batch">;
  /** Maximum number of events per batch. */
  readonly maxEvents: number;
}

/** The answer to a batch. */
export interface BatchAnswer {
  /** Events that Pub/Sub has acknowledged. */
  readonly accepted: number;
  readonly rejected: readonly RejectedEvent[];
  /** About accepted events; absent when there are none. */
  readonly warnings?: readonly EventWarning[];
}

/** Maximum length of Idempotency-Key, characters. */
export const MAX_IDEMPOTENCY_KEY = 255;

/** Maximum number of warnings in an answer. */
export const MAX_WARNINGS = 100;

function idempotencyKey(header: string | string[] | undefined): string {
  if (header === undefined) return "";
  const key = String(header);
  if (key.length === 0 || key.length > MAX_IDEMPOTENCY_KEY) throw new RequestError("INVALID_IDEMPOTENCY_KEY");
  return key;
}

/**
 * `POST /events/`: accepts many events; answers 200 once Pub/Sub has acknowledged all valid ones. After any other answer
 * the client should send the whole batch again, byte by byte the same or with the same ids; events that were already
 * published then count once.
 */
export function createPostEvents(deps: PostEventsDeps): Middleware {
  const { publisher, body, admission: check, metrics, maxEvents } = deps;
  return async function postEvents(ctx) {
    // Before the body is read, so that a refused request needs no memory; before admission, so that it costs no tokens.
    publisher.assertCapacity();
    const admission = admit(ctx, check);
    const key = idempotencyKey(ctx.req.headers["idempotency-key"]);
    const format = bodyFormat(ctx.req, JSON_OR_NDJSON_TYPES);
    const rules = postingRules(deps, senderOf(ctx.req, admission, deps));
    const events = await readBody(ctx.req, body, (bytes) =>
      readBatch(bytes, { format, maxEvents, idempotencyKey: key, receivedAt: Date.now(), rules }),
    );
    metrics.batch(events.size);
    await publishEvents(deps, admission, events);
    const { messages, rejected, warnings } = events;
    const answer: BatchAnswer = {
      accepted: messages.length,
      rejected,
      ...(warnings.length > 0 && { warnings: warnings.slice(0, MAX_WARNINGS) }),
    };
    ctx.body = answer;
  };
}
