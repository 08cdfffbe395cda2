import type { PublishOptions, PubSub, Topic } from "@google-cloud/pubsub";
import type { Logger } from "pino";
import type { EventMessage } from "@eventlogger/events/eventMessage";
import type { DefaultCredentials } from "@eventlogger/gcp/api/defaultCredentials";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { publishRetry } from "@eventlogger/gcp/pubsub/publishRetry";
import { RequestError } from "../http/errors";
import type { PublishOutcome } from "../telemetry/metrics/metrics";
import { requireMessageIds } from "./requireMessageIds";

/** gRPC status codes, https://grpc.io/docs/guides/status-codes/ */
const DEADLINE_EXCEEDED = 4;
const PERMISSION_DENIED = 7;
const UNAUTHENTICATED = 16;

/** Google's limit for one publish request. */
const MAX_BATCH_MESSAGES = 1000;
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/** A request costs about as much as thirty messages, so a short wait for more messages is worth its latency. */
const BATCH_DELAY_MS = 3;

/** How often publishes are checked for passed deadlines, ms. */
const SWEEP_MS = 100;
/** How long the result of the last publish decides readiness, ms. */
const FRESH_MS = 5000;
const PROBE_TIMEOUT_MS = 2000;
/** See PubSubClientOptions: a dead connection is replaced within this plus 3 s. */
const KEEP_ALIVE_MS = 5000;

export interface EventPublisherOptions {
  readonly project: string;
  readonly topic: string;
  /** Credentials for Google; undefined with an emulator. Events are refused while they have a problem. */
  readonly credentials?: Pick<DefaultCredentials, "authClient" | "problem" | "check"> | undefined;
  /** Time limit of a publish, including retries, ms. */
  readonly timeoutMs: number;
  /** Maximum number of events in flight. */
  readonly maxInFlight: number;
  /** Maximum size of the message data in flight, bytes. */
  readonly maxInFlightBytes: number;
  readonly logger: Logger;
  /** Called with the outcome and the duration (ms) of the publishes of a request. */
  readonly onPublished?: (outcome: PublishOutcome, ms: number) => void;
}

/** A request whose events are in flight. */
interface Waiting {
  /** Monotonic time, ms. */
  readonly since: number;
  readonly deadline: number;
  readonly events: number;
  reject(error: RequestError): void;
}

function codeOf(error: unknown): number | undefined {
  const code: unknown = (error as { code?: unknown }).code;
  return typeof code === "number" ? code : undefined;
}

/** @param timeoutMs time limit of a publish, including retries, ms */
function publishOptions(timeoutMs: number): PublishOptions {
  return {
    batching: { maxMessages: MAX_BATCH_MESSAGES, maxBytes: MAX_BATCH_BYTES, maxMilliseconds: BATCH_DELAY_MS },
    gaxOpts: publishRetry(timeoutMs),
  };
}

/**
 * Publishes events to one topic, in batches, with limits on the events in flight.
 */
export class EventPublisher {
  private readonly pubsub: PubSub;
  private readonly topic: Topic;
  /** In the order of their deadlines: all have the same timeout. */
  private readonly waiting = new Set<Waiting>();
  private readonly sweeper: NodeJS.Timeout;
  private inFlight = 0;
  private inFlightBytes = 0;
  private readonly whenIdle: (() => void)[] = [];
  private lastSuccess = 0;
  private failing: { readonly since: number; last: number; reason: string; events: number } | undefined;
  private probe: Promise<string | undefined> | undefined;

  constructor(private readonly options: EventPublisherOptions) {
    this.pubsub = pubSubClient({
      project: options.project,
      keepAliveMs: KEEP_ALIVE_MS,
      authClient: options.credentials?.authClient,
    });
    this.topic = this.pubsub.topic(options.topic, publishOptions(options.timeoutMs));
    // One timer for all publishes. The client's own deadline overshoots and does not cover the search for credentials.
    this.sweeper = setInterval(() => this.sweep(), SWEEP_MS).unref();
    requireMessageIds(this.topic);
  }

  /** Events without an acknowledgement, including those past their deadline. */
  get eventsInFlight(): number {
    return this.inFlight;
  }

  /** Size of the data of these events, bytes. */
  get bytesInFlight(): number {
    return this.inFlightBytes;
  }

  /** @throws RequestError NO_CREDENTIALS or TOO_MANY_IN_FLIGHT when no further event may be accepted now. */
  assertCapacity(): void {
    if (this.options.credentials?.problem) throw new RequestError("NO_CREDENTIALS");
    if (this.inFlight >= this.options.maxInFlight || this.inFlightBytes >= this.options.maxInFlightBytes) {
      throw new RequestError("TOO_MANY_IN_FLIGHT");
    }
  }

  /** {@link publishAll} for one message. */
  publish(message: EventMessage): Promise<void> {
    return this.publishAll([message]);
  }

  /**
   * Resolves when Pub/Sub has acknowledged all messages. They are accepted together as long as the limits are not reached,
   * so one request may exceed them; they count as in flight until the last one is answered.
   * @throws RequestError PUBSUB_TIMEOUT or PUBSUB_REFUSED: some of the messages may have been published.
   * @throws RequestError NO_CREDENTIALS or TOO_MANY_IN_FLIGHT: none was published.
   */
  publishAll(messages: readonly EventMessage[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const events = messages.length;
      if (events === 0) {
        resolve();
        return;
      }
      this.assertCapacity();
      let bytes = 0;
      for (const message of messages) bytes += message.data.length;
      const since = performance.now();
      const waiting: Waiting = { since, deadline: since + this.options.timeoutMs, events, reject };
      this.waiting.add(waiting);
      this.inFlight += events;
      this.inFlightBytes += bytes;
      let left = events;
      // One callback for all messages, not one for each.
      const answered = (error: Error | null): void => {
        left--;
        if (error && this.waiting.delete(waiting)) reject(this.failed(error, waiting));
        if (left > 0) return;
        // Only now: messages past their deadline keep their memory until the client releases them.
        this.inFlight -= events;
        this.inFlightBytes -= bytes;
        if (this.waiting.delete(waiting)) {
          this.options.onPublished?.("acknowledged", performance.now() - since);
          resolve();
        }
        if (!error) this.succeeded();
        if (this.inFlight === 0 && this.whenIdle.length > 0) this.idle();
      };
      for (const message of messages) this.topic.publishMessage(message, answered);
    });
  }

  /**
   * Why events cannot be published now; undefined when they can. The last recent publish decides; without one, whether
   * the topic can be reached. Never rejects.
   */
  async problem(): Promise<string | undefined> {
    const { credentials } = this.options;
    if (credentials?.problem) return credentials.problem.message;
    const fresh = Date.now() - FRESH_MS;
    if (this.failing && this.failing.last > fresh)
      return `Publishing to ${this.describe()} is failing: ${this.failing.reason}`;
    if (!this.failing && this.lastSuccess > fresh) return undefined;
    this.probe ??= this.probeTopic().finally(() => (this.probe = undefined));
    return this.probe;
  }

  /** Waits until nothing is in flight, then closes the connection. */
  async close(): Promise<void> {
    if (this.inFlight > 0) await new Promise<void>((resolve) => this.whenIdle.push(resolve));
    clearInterval(this.sweeper);
    await this.pubsub.close();
  }

  private idle(): void {
    for (const resolve of this.whenIdle.splice(0)) resolve();
  }

  private sweep(): void {
    const now = performance.now();
    for (const waiting of this.waiting) {
      if (waiting.deadline > now) break;
      this.waiting.delete(waiting);
      waiting.reject(this.failed(Object.assign(new Error("No answer in time"), { code: DEADLINE_EXCEEDED }), waiting));
    }
  }

  private succeeded(): void {
    this.lastSuccess = Date.now();
    if (!this.failing) return;
    const { since, events } = this.failing;
    this.failing = undefined;
    this.options.logger.info({ events, failedForMs: this.lastSuccess - since }, "publishing works again");
  }

  /** Logs only the first of consecutive failures, so that an outage does not flood the log. */
  private failed(cause: Error, { events, since }: Waiting): RequestError {
    const now = Date.now();
    if (!this.failing) {
      this.failing = { since: now, last: now, reason: "", events: 0 };
      this.options.logger.warn({ err: cause, topic: this.options.topic }, "publishing is failing");
    }
    this.failing.last = now;
    this.failing.reason = cause.message;
    this.failing.events += events;
    if (codeOf(cause) === UNAUTHENTICATED) void this.options.credentials?.check();
    const isTimeout = codeOf(cause) === DEADLINE_EXCEEDED;
    this.options.onPublished?.(isTimeout ? "timeout" : "refused", performance.now() - since);
    return new RequestError(isTimeout ? "PUBSUB_TIMEOUT" : "PUBSUB_REFUSED", { cause });
  }

  private async probeTopic(): Promise<string | undefined> {
    try {
      await this.topic.getMetadata({ timeout: PROBE_TIMEOUT_MS, retry: null });
    } catch (error) {
      // A publisher needs no permission to read the topic (roles/pubsub.publisher lacks it); the service did answer.
      if (codeOf(error) !== PERMISSION_DENIED) {
        return `${this.describe()} cannot be reached: ${(error as Error).message}`;
      }
    }
    return undefined;
  }

  private describe(): string {
    return `Pub/Sub topic ${this.options.topic}`;
  }
}
