import { Duration, type Message, type Subscription } from "@google-cloud/pubsub";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { AckTracker } from "./ackTracker";
import { PublishedUntil } from "./publishedUntil";
import { PullControl } from "./pullControl";
import { Waker } from "./waker";
import { WatermarkEstimator, type MessageTimes, type WatermarkOptions } from "./watermark";

export interface SubscriberOptions {
  readonly project: string;
  readonly subscription: string;
  /** Attribute with the event time in epoch ms. Messages without a valid one have their publish time as event time. */
  readonly timestampAttribute: string;
  /** Maximum number of unacknowledged messages; at least rate × (3 checkpoint intervals + self-checkpoint interval). */
  readonly maxOutstanding: number;
  /** Maximum size of the data of unacknowledged messages; bytes. */
  readonly maxOutstandingBytes: number;
  /** Lease of a message: time after which the messages of a dead worker are redelivered; s, 10 to 600. */
  readonly ackDeadlineSec: number;
  /** Time between checkpoints of the runner; ms. */
  readonly checkpointIntervalMs: number;
  readonly watermark: WatermarkOptions;
}

/** A received message with its times. */
export interface Received extends MessageTimes {
  readonly message: Message;
  /** By the monotonic clock; ms. */
  readonly receivedAt: number;
}

/** The messages that are taken between two self-checkpoints. They are acknowledged or nacked together. */
export interface Batch {
  readonly messages: Received[];
  /** When the first message was taken, by the monotonic clock; ms. */
  startedAt: number;
}

/**
 * Interval of keep-alive pings on the streaming pull, ms: a connection that died silently is replaced within this plus 3 s. Google's
 * client for Python uses the same interval for this stream; the one for Node waits for 5 minutes.
 */
const KEEP_ALIVE_MS = 30_000;

/** How long the watermark waits for the redelivery of a nacked message; ms. */
const NACK_HOLD_MS = 60_000;

/**
 * Longest time for which the client extends a lease. The client measures it with the clock of the host. By default it is an
 * hour: after a step ahead by more, all messages in flight would be redelivered. Longer than Node's timers allow is not
 * possible, because the client uses it as a timeout, too.
 */
const MAX_EXTENSION_HOURS = 400;

/**
 * The pull pauses when a received message waits longer than this to be taken. Otherwise a pipeline that falls behind would
 * hold as many messages as flow control allows, and spend its time on their leases; ms.
 */
const MAX_BUFFERED_MS = 10_000;

/**
 * A runner that completes no checkpoint gets no further messages when a message waits longer than this for its
 * acknowledgement; in checkpoint intervals, ms, and in times between the last two checkpoints. A normal wait is two to
 * three checkpoints.
 */
const MAX_WAIT = { intervals: 6, ms: 30_000, recentIntervals: 4 };

/**
 * A streaming pull that stays open between self-checkpoints. Messages are acknowledged when a checkpoint certainly contains
 * them, and nacked when their bundle failed or the job attempt ended; nothing else ends their lease. All durations are measured
 * with the monotonic clock.
 */
export class Subscriber {
  private readonly subscription: Subscription;
  private readonly pull: PullControl;
  private readonly estimator: WatermarkEstimator;
  private readonly published: PublishedUntil;
  private readonly ackTracker = new AckTracker<Batch>();
  private buffer: Received[] = [];
  private head = 0;
  private readonly outstanding = { messages: 0, bytes: 0 };
  /** Batches that were neither acknowledged nor nacked, oldest first. */
  private readonly batches = new Set<Batch>();
  /** The newest complete checkpoint, when it was reported first, and the time since the one before; ms. */
  private checkpoint = { number: -1, at: performance.now(), afterMs: 0 };
  private isClosing = false;
  /** The error that ended the pull permanently, such as a missing subscription. */
  error: Error | undefined;

  /** @param waker woken up when a message can be taken or an error has occurred */
  constructor(
    private readonly options: SubscriberOptions,
    private readonly waker = new Waker(),
  ) {
    this.estimator = new WatermarkEstimator(options.watermark, performance.now());
    this.published = new PublishedUntil(options.ackDeadlineSec * 1000, performance.now());
    const lease = Duration.from({ seconds: options.ackDeadlineSec });
    const client = pubSubClient({ project: options.project, keepAliveMs: KEEP_ALIVE_MS });
    this.subscription = client.subscription(options.subscription, {
      // For the server. Messages that exceed the limits are passed on, and the pull is paused here.
      flowControl: {
        maxMessages: options.maxOutstanding,
        maxBytes: options.maxOutstandingBytes,
        allowExcessMessages: true,
      },
      minAckDeadline: lease,
      maxAckDeadline: lease,
      maxExtensionTime: Duration.from({ hours: MAX_EXTENSION_HOURS }),
      batching: { maxMessages: 1000, maxMilliseconds: 50 },
      streamingOptions: { maxStreams: 2 },
    });
    this.subscription.on("error", (error: Error) => this.fail(error));
    this.subscription.on("message", (message) => this.receive(message)); // opens the subscription
    this.pull = new PullControl(this.subscription, options.ackDeadlineSec);
  }

  private fail(error: Error): void {
    this.error ??= error;
    this.waker.wake();
  }

  private timesOf(message: Message): MessageTimes {
    const publishTime = message.publishTime.getTime();
    const stated = Number(message.attributes[this.options.timestampAttribute] ?? NaN);
    return { publishTime, eventTime: Number.isFinite(stated) ? stated : publishTime };
  }

  private receive(message: Message): void {
    if (this.isClosing) {
      message.nack();
      return;
    }
    const now = performance.now();
    const received: Received = { message, ...this.timesOf(message), receivedAt: now };
    this.outstanding.messages++;
    this.outstanding.bytes += message.length;
    this.estimator.arrived(message.id, received, now);
    this.published.arrived(message.id, received.publishTime, now);
    this.buffer.push(received);
    if (this.fillLevel(now) >= 1) this.pull.pause();
    this.waker.wake();
  }

  /** How much of what may be in flight is in flight; 1 or more: the pull pauses. */
  private fillLevel(now: number): number {
    const { maxOutstanding, maxOutstandingBytes } = this.options;
    const oldest = this.buffer[this.head];
    return Math.max(
      this.outstanding.messages / maxOutstanding,
      this.outstanding.bytes / maxOutstandingBytes,
      oldest ? (now - oldest.receivedAt) / MAX_BUFFERED_MS : 0,
    );
  }

  /** Continues a paused pull when enough messages were taken and acknowledged. */
  private resumePull(): void {
    if (this.pull.isPaused && this.fillLevel(performance.now()) < 0.9) this.pull.resume();
  }

  /** Number of received messages that were not taken yet. */
  get buffered(): number {
    return this.buffer.length - this.head;
  }

  /** Whether no message may be taken, because the runner has completed no checkpoint for too long. */
  private isPaced(): boolean {
    const { intervals, ms, recentIntervals } = MAX_WAIT;
    const maxWaitMs = Math.max(
      ms,
      intervals * this.options.checkpointIntervalMs,
      recentIntervals * this.checkpoint.afterMs,
    );
    for (const { messages, startedAt } of this.batches) {
      if (messages.length) return performance.now() - startedAt > maxWaitMs;
    }
    return false;
  }

  /** Starts a batch. It must be passed to {@link finalized} or {@link nack} later. */
  startBatch(): Batch {
    const batch: Batch = { messages: [], startedAt: 0 };
    this.batches.add(batch);
    return batch;
  }

  /**
   * Moves the oldest received message to a batch and returns it; undefined when none is buffered, or when the runner must
   * complete a checkpoint first.
   */
  take(batch: Batch): Received | undefined {
    const next = this.buffer[this.head];
    if (!next || this.isPaced()) return undefined;
    this.head++;
    if (this.head > 1024 && this.head * 2 > this.buffer.length) {
      this.buffer = this.buffer.slice(this.head);
      this.head = 0;
    }
    if (!batch.messages.length) batch.startedAt = performance.now();
    batch.messages.push(next);
    this.resumePull();
    return next;
  }

  /** Whether a message can be taken, or an error has occurred. */
  get isReady(): boolean {
    return (this.buffered > 0 && !this.isPaced()) || this.error !== undefined;
  }

  private release(batch: Batch): void {
    this.batches.delete(batch);
    this.outstanding.messages -= batch.messages.length;
    for (const { message } of batch.messages) this.outstanding.bytes -= message.length;
    this.resumePull();
  }

  /**
   * Records that the bundle of a batch was finalised, and acknowledges the batches that are now safe.
   * @param checkpoint number of the newest complete checkpoint; without one, nothing can be acknowledged, and the source fails
   */
  finalized(batch: Batch, checkpoint: number | undefined): void {
    if (checkpoint === undefined) {
      this.fail(new Error("The runner keeps no record of its checkpoints, so that no message can be acknowledged"));
      return;
    }
    if (checkpoint > this.checkpoint.number) {
      const now = performance.now();
      this.checkpoint = { number: checkpoint, at: now, afterMs: now - this.checkpoint.at };
    }
    for (const safe of this.ackTracker.add(batch, checkpoint)) {
      for (const { message } of safe.messages) message.ack();
      this.release(safe);
    }
    this.waker.wake();
  }

  /** Nacks a batch: Pub/Sub redelivers its messages at once. */
  nack(batch: Batch): void {
    this.nackMessages(batch.messages);
    this.release(batch);
  }

  private nackMessages(messages: readonly Received[]): void {
    const now = performance.now();
    for (const received of messages) {
      this.estimator.nacked(received.message.id, received, now, NACK_HOLD_MS);
      this.published.nacked(received.message.id, received.publishTime, now, NACK_HOLD_MS);
      received.message.nack();
    }
  }

  /** The publish times of all messages that were neither acknowledged nor nacked; epoch ms. */
  *heldPublishTimes(): Iterable<number> {
    for (const { messages } of this.batches) for (const { publishTime } of messages) yield publishTime;
    for (let i = this.head; i < this.buffer.length; i++) yield (this.buffer[i] as Received).publishTime;
  }

  /** The watermark; epoch ms. */
  watermark(): number {
    let oldest = Infinity;
    for (let i = this.head; i < this.buffer.length; i++) {
      const received = this.buffer[i] as Received;
      if (received.eventTime < oldest && this.estimator.isHeldBy(received)) oldest = received.eventTime;
    }
    const now = performance.now();
    return this.estimator.current(now, oldest, this.isBlocked(now));
  }

  /**
   * Every message that was published up to this time is acknowledged, as far as the subscriber can tell; epoch ms. Undefined: not
   * known. See {@link PublishedUntil}.
   */
  publishedUntil(): number | undefined {
    let oldest = Infinity;
    for (const publishTime of this.heldPublishTimes()) oldest = Math.min(oldest, publishTime);
    const now = performance.now();
    return this.published.current(now, oldest, this.isBlocked(now));
  }

  /** Whether flow control holds messages back. The server may do so before the pull pauses. */
  private isBlocked(now: number): boolean {
    return this.pull.isPaused || this.fillLevel(now) >= 0.9;
  }

  /** Ends the job attempt: nacks all unacknowledged messages and stops pulling. */
  async close(): Promise<void> {
    this.isClosing = true;
    for (const batch of this.ackTracker.takeAll()) this.nack(batch);
    const rest = this.buffer.slice(this.head);
    this.buffer = [];
    this.head = 0;
    this.nackMessages(rest);
    this.waker.wake();
    await this.subscription.close();
  }
}
