import type { IncomingMessage } from "node:http";
import type { EventMessage } from "@eventlogger/events/eventMessage";
import type { Sender } from "@eventlogger/events/fields/origin";
import type { PostingRules, UnknownFields } from "@eventlogger/events/validation";
import type { Admission, AdmissionCheck } from "../access/admission";
import type { KnownAgents } from "../agents/knownAgents";
import type { BodyOptions } from "../http/body/readBody";
import type { EventMetrics } from "../telemetry/metrics/eventMetrics";
import type { BatchEvents } from "./batches/batchEvents";

/** What every route needs that accepts events. */
export interface PostingDeps {
  readonly publisher: {
    assertCapacity(): void;
    publishAll(messages: readonly EventMessage[]): Promise<void>;
  };
  readonly body: BodyOptions;
  /** Event times before this are refused; epoch milliseconds. */
  readonly earliest: number;
  readonly unknownFields: UnknownFields;
  readonly agents: Pick<KnownAgents, "of">;
  /** Undefined when anybody may send. */
  readonly admission: AdmissionCheck | undefined;
  readonly metrics: Pick<EventMetrics, "accepted" | "rejected" | "warned" | "counted">;
}

/** What is known about the sender of a request. @param userAgent that of the device, when the request tells it in another place */
export function senderOf(
  request: IncomingMessage,
  admission: Admission | undefined,
  { agents }: Pick<PostingDeps, "agents">,
  userAgent = request.headers["user-agent"],
): Sender {
  return { app: admission?.keyName ?? null, agent: agents.of(userAgent) };
}

/** The rules for the events of a request. */
export function postingRules(
  { earliest, unknownFields }: Pick<PostingDeps, "earliest" | "unknownFields">,
  sender: Sender,
): PostingRules {
  return { earliest, unknownFields, sender };
}

/**
 * Charges and publishes the events of a request, and counts them once Pub/Sub has acknowledged all: the client sends
 * an unpublished request again.
 * @throws RequestError RATE_LIMITED, TOO_MANY_NEW_IDS, and those of the publisher
 */
export async function publishEvents(
  { publisher, metrics }: Pick<PostingDeps, "publisher" | "metrics">,
  admission: Admission | undefined,
  { messages, rejected, warnings, counts, anonymousIds, size }: BatchEvents,
): Promise<void> {
  admission?.charge(size);
  admission?.chargeNewIds(anonymousIds);
  await publisher.publishAll(messages);
  metrics.accepted(admission?.keyName, messages.length);
  metrics.counted(admission?.keyName, counts);
  for (const { errors } of rejected) metrics.rejected(errors);
  for (const warning of warnings) metrics.warned(warning);
}
