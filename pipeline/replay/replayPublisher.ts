import type { PubSub } from "@google-cloud/pubsub";
import {
  MAX_REPLAY_EVENTS,
  ReplayEncoder,
  type ReplayEvent,
  type ReplayMessage,
} from "@eventlogger/events/replayMessage";
import { isNotFound } from "@eventlogger/gcp/api/errorCode";
import { needsOn, withPermission } from "@eventlogger/gcp/api/permission";
import { publishRetry } from "@eventlogger/gcp/pubsub/publishRetry";
import { UserError } from "@eventlogger/process/main";
import { Pace } from "./pace";

/** Maximum number of messages that Pub/Sub has not acknowledged; 64 KiB each. */
const MAX_IN_FLIGHT = 64;

/** Time limit of a publish with its retries; ms. Longer than the short outages of the service. */
const TIMEOUT_MS = 120_000;

/** With a rate, messages are this far apart at least, so that low rates are even; s. */
const SHORTEST_INTERVAL_SEC = 0.1;

export interface ReplayPublisherOptions {
  readonly pubsub: PubSub;
  /** The replay topic. */
  readonly topic: string;
  readonly generation: number;
  /** The dataset that has the rows of the events. */
  readonly dataset: string;
  /** Events per second; 0: as fast as possible. */
  readonly rate: number;
  readonly signal?: AbortSignal | undefined;
  /** Called for each message that Pub/Sub has acknowledged. */
  readonly onPublished: (events: number) => void;
}

/** Publishes events to a replay topic, many in a message, at a pace, and with a limit of what is in flight. */
export class ReplayPublisher {
  private readonly encoder: ReplayEncoder;
  private readonly publish: (message: ReplayMessage) => Promise<unknown>;
  private readonly inFlight = new Set<Promise<void>>();
  private failure: Error | undefined;
  private readonly pace: Pace;

  constructor(private readonly options: ReplayPublisherOptions) {
    const { pubsub, topic, rate, signal } = options;
    this.pace = new Pace(rate, signal);
    const maxEvents = Math.min(MAX_REPLAY_EVENTS, rate > 0 ? Math.ceil(rate * SHORTEST_INTERVAL_SEC) : Infinity);
    this.encoder = new ReplayEncoder(options, maxEvents);
    const publisher = pubsub.topic(topic, {
      batching: { maxMessages: 8, maxBytes: 2 ** 20, maxMilliseconds: 10 },
      gaxOpts: publishRetry(TIMEOUT_MS),
    });
    const need = needsOn(pubsub.projectId, `topic ${topic}`)("pubsub.topics.publish");
    this.publish = ({ data, attributes }) =>
      withPermission(need, () => publisher.publishMessage({ data, attributes: { ...attributes } }));
  }

  /** Publishes an event, now or with those that follow. Waits when too much is in flight or the rate is reached. */
  async add(event: ReplayEvent): Promise<void> {
    const full = this.encoder.add(event);
    if (full) await this.send(full);
  }

  /** Resolves when all events that were added are acknowledged. */
  async flush(): Promise<void> {
    const rest = this.encoder.flush();
    if (rest) await this.send(rest);
    await Promise.all(this.inFlight);
    this.throwIfFailed();
  }

  /** Resolves when nothing is in flight any more, whatever became of it. */
  async settle(): Promise<void> {
    await Promise.all(this.inFlight);
  }

  private async send(message: ReplayMessage): Promise<void> {
    await this.pace.pass(message.events);
    while (this.inFlight.size >= MAX_IN_FLIGHT) await Promise.race(this.inFlight);
    this.throwIfFailed();
    const published = this.publish(message).then(
      () => this.options.onPublished(message.events),
      (error: unknown) => void (this.failure ??= this.explain(error)),
    );
    this.inFlight.add(published);
    void published.then(() => this.inFlight.delete(published));
  }

  private throwIfFailed(): void {
    if (this.failure) throw this.failure;
  }

  private explain(error: unknown): Error {
    const { pubsub, topic } = this.options;
    if (!isNotFound(error)) return error instanceof Error ? error : new Error(String(error));
    return new UserError(`Topic ${topic} does not exist in project ${pubsub.projectId}`, { cause: error });
  }
}
