import { Duration, type Message, type Subscription } from "@google-cloud/pubsub";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { AckTracker } from "./ackTracker";
import { WatermarkEstimator, type WatermarkOptions } from "./watermark";

export interface SubscriberOptions {
  readonly project: string;
  readonly subscription: string;
  /** Attribute with the event time in epoch ms. Messages without a valid one have their publish time as event time. */
  readonly timestampAttribute: string;
  /** Maximum number of unacknowledged messages; at least rate × (3 checkpoint intervals + self-checkpoint interval). */
  readonly maxOutstanding: number;
  /** Time after which the messages of a dead worker are redelivered; s, 10 to 600. */
  readonly ackDeadlineSec: number;
  /** Time between checkpoints of the runner; ms. */
  readonly checkpointIntervalMs: number;
  readonly watermark: WatermarkOptions;
}

/** A received message with its event time, epoch ms. */
export interface Received {
  readonly message: Message;
  readonly eventTime: number;
}

/** How long the watermark waits for the redelivery of a nacked message; ms. */
const NACK_HOLD_MS = 60_000;
/** Closed rounds that wait before they are acknowledged; see {@link AckTracker}. */
const CLOSED_ROUNDS = 2;

/**
 * A streaming pull that stays open between self-checkpoints. Messages are acknowledged when a checkpoint certainly contains
 * them, and nacked when their bundle failed or the job attempt ended; nothing else ends their lease.
 */
export class Subscriber {
  private readonly subscription: Subscription;
  private readonly estimator: WatermarkEstimator;
  private readonly ackTracker: AckTracker<readonly Received[]>;
  private buffer: Received[] = [];
  private head = 0;
  private outstanding = 0;
  private wake: (() => void) | undefined;
  private closing = false;
  /** The error that ended the pull permanently, such as a missing subscription. */
  error: Error | undefined;

  constructor(private readonly options: SubscriberOptions) {
    this.estimator = new WatermarkEstimator(options.watermark, Date.now());
    this.ackTracker = new AckTracker(CLOSED_ROUNDS, options.checkpointIntervalMs / 2);
    const deadline = Duration.from({ seconds: options.ackDeadlineSec });
    this.subscription = pubSubClient(options).subscription(options.subscription, {
      flowControl: { maxMessages: options.maxOutstanding, maxBytes: 1 << 30, allowExcessMessages: false },
      minAckDeadline: deadline,
      maxAckDeadline: deadline,
      batching: { maxMessages: 1000, maxMilliseconds: 50 },
      streamingOptions: { maxStreams: 2 },
    });
    this.subscription.on("message", (message) => this.receive(message));
    this.subscription.on("error", (error: Error) => {
      this.error = error;
      this.wake?.();
    });
  }

  private eventTimeOf(message: Message): number {
    const stated = Number(message.attributes[this.options.timestampAttribute] ?? NaN);
    return Number.isFinite(stated) ? stated : message.publishTime.getTime();
  }

  private receive(message: Message): void {
    if (this.closing) {
      message.nack();
      return;
    }
    const eventTime = this.eventTimeOf(message);
    this.outstanding++;
    this.estimator.arrived(message.id, eventTime, Date.now());
    this.buffer.push({ message, eventTime });
    this.wake?.();
  }

  /** Number of received messages that were not taken yet. */
  get buffered(): number {
    return this.buffer.length - this.head;
  }

  /** Takes the oldest received message; undefined when none is buffered. */
  take(): Received | undefined {
    const next = this.buffer[this.head];
    if (!next) return undefined;
    this.head++;
    if (this.head > 1024 && this.head * 2 > this.buffer.length) {
      this.buffer = this.buffer.slice(this.head);
      this.head = 0;
    }
    return next;
  }

  /** Resolves when a message or an error arrives, at the latest after `ms`. */
  wait(ms: number): Promise<void> {
    if (this.buffered || this.error) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.wake = done;
    });
  }

  /** Records that the bundle of these messages was finalised, and acknowledges the messages that are now safe. */
  finalized(received: readonly Received[]): void {
    for (const safe of this.ackTracker.add(received, Date.now())) {
      for (const { message } of safe) message.ack();
      this.outstanding -= safe.length;
    }
  }

  /** Nacks messages: Pub/Sub redelivers them at once. */
  nack(received: readonly Received[]): void {
    const now = Date.now();
    for (const { message, eventTime } of received) {
      this.estimator.nacked(message.id, eventTime, now, NACK_HOLD_MS);
      message.nack();
    }
    this.outstanding -= received.length;
  }

  /** The watermark; epoch ms. */
  watermark(): number {
    let oldest = Infinity;
    const ignoreBefore = Date.now() - this.options.watermark.ignoreOlderMs;
    for (let i = this.head; i < this.buffer.length; i++) {
      const { eventTime } = this.buffer[i] as Received;
      if (eventTime < oldest && eventTime >= ignoreBefore) oldest = eventTime;
    }
    return this.estimator.current(Date.now(), oldest, this.outstanding >= this.options.maxOutstanding * 0.9);
  }

  /** Ends the job attempt: nacks all unacknowledged messages and stops pulling. */
  async close(): Promise<void> {
    this.closing = true;
    for (const received of this.ackTracker.takeAll()) this.nack(received);
    const rest = this.buffer.slice(this.head);
    this.buffer = [];
    this.head = 0;
    this.nack(rest);
    this.wake?.();
    await this.subscription.close();
  }
}
