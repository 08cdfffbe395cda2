import type { Middleware } from "koa";
import type { EventMessage } from "@eventlogger/events/eventMessage";
import { admit, type Gate } from "../access/gate";
import { readBatch, type RejectedEvent } from "./batch";
import { readBody, type BodyOptions } from "../http/body";
import { bodyFormat, JSON_OR_NDJSON_TYPES } from "../http/contentHeaders";
import { RequestError } from "../http/errors";
import type { EventMetrics } from "../telemetry/eventMetrics";

export interface PostEventsDeps {
  readonly publisher: {
    assertCapacity(): void;
    publishAll(messages: readonly EventMessage[]): Promise<void>;
  };
  readonly body: BodyOptions;
  /** Undefined: anybody may send. */
  readonly gate: Gate | undefined;
  readonly metrics: Pick<EventMetrics, "accepted" | "rejected" | "batch">;
  /** Most events of a batch. */
  readonly maxEvents: number;
}

/** The answer to a batch. */
export interface BatchAnswer {
  /** Events that Pub/Sub has acknowledged. */
  readonly accepted: number;
  readonly rejected: readonly RejectedEvent[];
}

/** Longest Idempotency-Key, characters. */
export const MAX_IDEMPOTENCY_KEY = 255;

function idempotencyKey(header: string | string[] | undefined): string {
  if (header === undefined) return "";
  const key = String(header);
  if (key.length === 0 || key.length > MAX_IDEMPOTENCY_KEY) throw new RequestError("INVALID_IDEMPOTENCY_KEY");
  return key;
}

/**
 * `POST /events/`: takes many events; 200 once Pub/Sub has acknowledged all that are right. Anything else means that the
 * whole batch is to be sent again, the same byte by byte or with the same ids: then events that were taken already count
 * once.
 */
export function createPostEvents({ publisher, body, gate, metrics, maxEvents }: PostEventsDeps): Middleware {
  return async function postEvents(ctx) {
    // Before the body is read: what is refused must not need room. And before the gate: it counts against no rate.
    publisher.assertCapacity();
    const admission = admit(ctx, gate);
    const key = idempotencyKey(ctx.req.headers["idempotency-key"]);
    const format = bodyFormat(ctx.req, JSON_OR_NDJSON_TYPES);
    const { messages, rejected } = await readBody(ctx.req, body, (bytes) =>
      readBatch(bytes, { format, maxEvents, idempotencyKey: key, receivedAt: Date.now() }),
    );
    const events = messages.length + rejected.length;
    metrics.batch(events);
    admission?.charge(events);
    await publisher.publishAll(messages);
    // Only now: a batch that was not published comes again.
    metrics.accepted(admission?.keyName, messages.length);
    for (const { errors } of rejected) metrics.rejected(errors);
    const answer: BatchAnswer = { accepted: messages.length, rejected };
    ctx.body = answer;
  };
}
