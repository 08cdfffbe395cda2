import type { PubSub, Topic } from "@google-cloud/pubsub";
import type { Logger } from "pino";
import type { EventMessage } from "@eventlogger/events/eventMessage";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { RequestError } from "../http/errors";
import type { PublishOutcome } from "../telemetry/metrics";

/** gRPC status codes, https://grpc.io/docs/guides/status-codes/ */
const CANCELLED = 1;
const UNKNOWN = 2;
const DEADLINE_EXCEEDED = 4;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const ABORTED = 10;
const INTERNAL = 13;
const UNAVAILABLE = 14;

/** What Google's own clients send again for Publish. A message that was taken twice is one event: it has an event_id. */
const RETRIED = [CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE];

/** Google's limit for one publish request. */
const MAX_BATCH_MESSAGES = 1000;
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/**
 * A request costs about as much as thirty messages, so waiting a little for company is worth more than the latency it
 * costs.
 */
const MAX_BATCH_DELAY_MS = 3;

/** How often publishes are looked through for those that have waited too long. */
const SWEEP_MS = 100;
/** What the last publish came to says something of the next for this long. */
const FRESH_MS = 5000;
const PROBE_TIMEOUT_MS = 2000;
/** See PubSubClientOptions: a connection that has died is replaced within this and 3 s. */
const KEEP_ALIVE_MS = 5000;

export interface EventPublisherOptions {
  readonly project: string;
  readonly topic: string;
  /** How long a publish may take, with all its retries, ms. */
  readonly timeoutMs: number;
  /** The most events that wait for their acknowledgement at one time. */
  readonly maxInFlight: number;
  /** The most bytes of message data that wait at one time. */
  readonly maxInFlightBytes: number;
  readonly logger: Logger;
  /** Told how the publishes of a request have ended, and how long that took, ms. */
  readonly onPublished?: (outcome: PublishOutcome, ms: number) => void;
}

/** A request whose events are under way. */
interface Waiting {
  /** ms, not going back. */
  readonly since: number;
  readonly deadline: number;
  readonly events: number;
  reject(error: RequestError): void;
}

function codeOf(error: unknown): number | undefined {
  const code: unknown = (error as { code?: unknown }).code;
  return typeof code === "number" ? code : undefined;
}

/**
 * Publishes events to one topic, in batches, with a bound on what is under way.
 */
export class EventPublisher {
  private readonly pubsub: PubSub;
  private readonly topic: Topic;
  /** In the order of their deadlines: all have the same timeout. */
  private readonly waiting = new Set<Waiting>();
  private readonly sweeper: NodeJS.Timeout;
  private inFlight = 0;
  private inFlightBytes = 0;
  private whenIdle: (() => void)[] = [];
  private lastSuccess = 0;
  private failing: { readonly since: number; last: number; reason: string; events: number } | undefined;
  private probe: Promise<string | undefined> | undefined;

  constructor(private readonly options: EventPublisherOptions) {
    this.pubsub = pubSubClient({ project: options.project, keepAliveMs: KEEP_ALIVE_MS });
    this.topic = this.pubsub.topic(options.topic, {
      batching: {
        maxMessages: MAX_BATCH_MESSAGES,
        maxBytes: MAX_BATCH_BYTES,
        maxMilliseconds: MAX_BATCH_DELAY_MS,
      },
      gaxOpts: {
        retry: {
          retryCodes: RETRIED,
          backoffSettings: {
            initialRetryDelayMillis: 100,
            retryDelayMultiplier: 1.3,
            maxRetryDelayMillis: 1000,
            // Half, so that a request that was lost on the way is sent once more.
            initialRpcTimeoutMillis: Math.ceil(options.timeoutMs / 2),
            rpcTimeoutMultiplier: 1,
            maxRpcTimeoutMillis: Math.ceil(options.timeoutMs / 2),
            totalTimeoutMillis: options.timeoutMs,
          },
        },
      },
    });
    // One timer for all publishes. The client's own deadline does not cover its search for credentials, and overshoots.
    this.sweeper = setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  /** Events that have not been acknowledged yet, those past their deadline included. */
  get eventsInFlight(): number {
    return this.inFlight;
  }

  /** Bytes of their data. */
  get bytesInFlight(): number {
    return this.inFlightBytes;
  }

  /** @throws RequestError TOO_MANY_IN_FLIGHT when another event must not be taken now. */
  assertCapacity(): void {
    if (this.inFlight >= this.options.maxInFlight || this.inFlightBytes >= this.options.maxInFlightBytes) {
      throw new RequestError("TOO_MANY_IN_FLIGHT");
    }
  }

  /** {@link publishAll} for one message. */
  publish(message: EventMessage): Promise<void> {
    return this.publishAll([message]);
  }

  /**
   * Resolves when Pub/Sub has acknowledged all messages. They are one reservation: it is made when there is room for any
   * of them, so the bounds may be passed by one request, and ends with the last of them.
   * @throws RequestError PUBSUB_TIMEOUT or PUBSUB_REFUSED: any of the messages may have been taken, or not.
   * @throws RequestError TOO_MANY_IN_FLIGHT: none has.
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
      // One for all messages, not one each.
      const answered = (error: Error | null): void => {
        left--;
        if (error && this.waiting.delete(waiting)) reject(this.failed(error, waiting));
        if (left > 0) return;
        // Only now: messages past their deadline hold their memory until the client lets go of them.
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
   * Why publishing is not possible now, or undefined when it is: the last publish of the last seconds decides; where there
   * was none, whether the topic can be reached. Never rejects.
   */
  async problem(): Promise<string | undefined> {
    const fresh = Date.now() - FRESH_MS;
    if (this.failing && this.failing.last > fresh)
      return `Publishing to ${this.describe()} fails: ${this.failing.reason}`;
    if (!this.failing && this.lastSuccess > fresh) return undefined;
    this.probe ??= this.probeTopic().finally(() => (this.probe = undefined));
    return this.probe;
  }

  /** Waits until nothing is in flight, then lets go of the connection. */
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

  /** Logs the first failure of a row, not each: an outage under load must not become a flood of lines. */
  private failed(cause: Error, { events, since }: Waiting): RequestError {
    const now = Date.now();
    if (!this.failing) {
      this.failing = { since: now, last: now, reason: "", events: 0 };
      this.options.logger.warn({ err: cause, topic: this.options.topic }, "publishing fails");
    }
    this.failing.last = now;
    this.failing.reason = cause.message;
    this.failing.events += events;
    const isLate = codeOf(cause) === DEADLINE_EXCEEDED;
    this.options.onPublished?.(isLate ? "timeout" : "refused", performance.now() - since);
    return new RequestError(isLate ? "PUBSUB_TIMEOUT" : "PUBSUB_REFUSED", { cause });
  }

  private async probeTopic(): Promise<string | undefined> {
    try {
      await this.topic.getMetadata({ timeout: PROBE_TIMEOUT_MS, retry: null });
    } catch (error) {
      // A publisher needs no right to read the topic (roles/pubsub.publisher has none); the service did answer.
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
