import { Duration, type Message, type Subscription } from "@google-cloud/pubsub";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { Generations } from "./settlement";
import { WatermarkEstimator, type WatermarkOptions } from "./watermark";

export interface SubscriberOptions {
  readonly project: string;
  readonly subscription: string;
  /** Attribute with the event time in epoch ms; else, or where it is none, the publish time counts. */
  readonly timestampAttribute: string;
  /** Messages that were received and not yet acknowledged, at most. Covers rate x (3 checkpoints + slice). */
  readonly maxOutstanding: number;
  /** Time after which a message of a worker that died is delivered again; s, 10 to 600. */
  readonly ackDeadlineSec: number;
  /** ms between checkpoints of the runner. */
  readonly checkpointIntervalMs: number;
  readonly watermark: WatermarkOptions;
}

/** A received message with its event time, epoch ms. */
export interface Received {
  readonly message: Message;
  readonly eventTime: number;
}

/** How long the watermark waits for a message that was given back. */
const RETURN_HOLD_MS = 60_000;
/** Closed generations that wait before they are acknowledged; see {@link Generations}. */
const KEEP_GENERATIONS = 2;

/**
 * A streaming pull that stays open between slices. Messages are acknowledged when a checkpoint holds them for sure, and
 * given back when the bundle failed or the job attempt ended; nothing else ends their lease.
 */
export class Subscriber {
  private readonly subscription: Subscription;
  private readonly estimator: WatermarkEstimator;
  private readonly generations: Generations<readonly Received[]>;
  private buffer: Received[] = [];
  private head = 0;
  private outstanding = 0;
  private wake: (() => void) | undefined;
  private closing = false;
  /** What ended the pull for good, such as a subscription that does not exist. */
  error: Error | undefined;

  constructor(private readonly options: SubscriberOptions) {
    this.estimator = new WatermarkEstimator(options.watermark, Date.now());
    this.generations = new Generations(KEEP_GENERATIONS, options.checkpointIntervalMs / 2);
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

  /** Messages that were received and not taken. */
  get buffered(): number {
    return this.buffer.length - this.head;
  }

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

  /** Resolves when there is a message or an error, or after `ms`. */
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

  /** The bundle is durable, or will be with a later checkpoint: acknowledges what is safe by now. */
  finalized(received: readonly Received[]): void {
    for (const safe of this.generations.add(received, Date.now())) {
      for (const { message } of safe) message.ack();
      this.outstanding -= safe.length;
    }
  }

  /** Gives messages back; they come again at once. */
  giveBack(received: readonly Received[]): void {
    const now = Date.now();
    for (const { message, eventTime } of received) {
      this.estimator.gaveBack(message.id, eventTime, now, RETURN_HOLD_MS);
      message.nack();
    }
    this.outstanding -= received.length;
  }

  watermark(): number {
    let oldest = Infinity;
    const ignoreBefore = Date.now() - this.options.watermark.ignoreOlderMs;
    for (let i = this.head; i < this.buffer.length; i++) {
      const { eventTime } = this.buffer[i] as Received;
      if (eventTime < oldest && eventTime >= ignoreBefore) oldest = eventTime;
    }
    return this.estimator.current(Date.now(), oldest, this.outstanding >= this.options.maxOutstanding * 0.9);
  }

  /** The job attempt is over: gives back everything that is not acknowledged, and stops pulling. */
  async close(): Promise<void> {
    this.closing = true;
    for (const received of this.generations.takeAll()) this.giveBack(received);
    const rest = this.buffer.slice(this.head);
    this.buffer = [];
    this.head = 0;
    this.giveBack(rest);
    this.wake?.();
    await this.subscription.close();
  }
}
