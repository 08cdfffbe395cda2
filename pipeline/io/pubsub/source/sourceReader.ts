import { count } from "@eventlogger/beam";
import type { PubSubMessage } from "../message";
import { isForDataset, REPLAY_ATTRIBUTE } from "@eventlogger/events/replayMessage";
import { ReplayPace } from "./replayPace";
import { Subscriber, type Batch, type SubscriberOptions } from "./subscriber";
import { Waker } from "./waker";

export interface SourceReaderOptions extends SubscriberOptions {
  /** The subscription with replayed events; undefined: only live events are read. */
  readonly replaySubscription: string | undefined;
  /** The dataset that the pipeline writes to. Replay messages for other datasets are acknowledged and ignored. */
  readonly dataset: string;
  /** Time from the first message to the self-checkpoint; ms. */
  readonly selfCheckpointMs: number;
}

/** The messages that are taken between two self-checkpoints, of both subscriptions. */
export interface ReaderBatch {
  readonly live: Batch;
  readonly replay: Batch | undefined;
}

/** A message with the timestamp of its element; epoch ms. */
export interface TakenMessage {
  readonly message: PubSubMessage;
  readonly timestamp: number;
}

/** Number of live messages after which a replay message gets its turn, even if there are more. */
const LIVE_PER_REPLAY = 5000;

/** A round with replayed events, and the steps after the source, should take this many times the time between self-checkpoints. */
const ROUND = 2;

/** Share of the memory for messages in flight that replayed ones may have in addition to live ones. */
const REPLAY_SHARE = 1 / 2;

function replayOptions(options: SourceReaderOptions, subscription: string): SubscriberOptions {
  const maxOutstandingBytes = Math.floor(options.maxOutstandingBytes * REPLAY_SHARE);
  return {
    ...options,
    subscription,
    maxOutstandingBytes,
    maxOutstanding: Math.floor(options.maxOutstanding * REPLAY_SHARE),
  };
}

/**
 * Reads the two subscriptions of a pipeline in one process: live events, and replayed ones. Live messages come first. Replay messages
 * are taken when no live one waits, as far as {@link ReplayPace} allows, and now and then among live ones, so that a replay
 * ends under any traffic. Only live messages determine the watermark.
 */
export class SourceReader {
  private readonly waker = new Waker();
  private readonly dataset: string;
  private readonly pace: ReplayPace;
  private liveInARow = 0;
  private isBeingRead = false;
  readonly live: Subscriber;
  readonly replay: Subscriber | undefined;

  constructor(options: SourceReaderOptions) {
    const { replaySubscription, selfCheckpointMs, dataset } = options;
    this.dataset = dataset;
    this.live = new Subscriber(options, this.waker);
    this.replay =
      replaySubscription === undefined
        ? undefined
        : new Subscriber(replayOptions(options, replaySubscription), this.waker);
    this.pace = new ReplayPace(ROUND * selfCheckpointMs);
  }

  /** The error that ended one of the pulls permanently. */
  get error(): Error | undefined {
    return this.live.error ?? this.replay?.error;
  }

  /** Begins to read for one restriction; undefined while another one is read. */
  beginReading(): { readonly end: () => void } | undefined {
    if (this.isBeingRead) return undefined;
    this.isBeingRead = true;
    return { end: () => (this.isBeingRead = false) };
  }

  /** Starts a batch. It must be passed to {@link finalized} or {@link nack} later. */
  startBatch(): ReaderBatch {
    this.pace.startRound(performance.now());
    return { live: this.live.startBatch(), replay: this.replay?.startBatch() };
  }

  /**
   * Moves the next message to a batch and returns it; undefined when none may be taken now.
   * @param watermark the watermark that was reported last; epoch ms
   */
  take(batch: ReaderBatch, watermark: number): TakenMessage | undefined {
    const isReplaysTurn = this.liveInARow >= LIVE_PER_REPLAY;
    return (
      (isReplaysTurn ? this.takeReplay(batch, watermark) : undefined) ??
      this.takeLive(batch, watermark) ??
      (isReplaysTurn ? undefined : this.takeReplay(batch, watermark))
    );
  }

  private takeLive({ live }: ReaderBatch, watermark: number): TakenMessage | undefined {
    const next = this.live.take(live);
    if (!next) return undefined;
    this.liveInARow++;
    const { message, publishTime, eventTime } = next;
    return { message: { data: message.data, messageId: message.id, publishTime, watermark }, timestamp: eventTime };
  }

  private takeReplay({ replay: batch }: ReaderBatch, watermark: number): TakenMessage | undefined {
    if (!batch || !this.pace.hasBudget) return undefined;
    let next = this.replay?.take(batch);
    while (next && !isForDataset(next.message.attributes, this.dataset)) {
      count("foreignReplayMessages");
      next = this.replay?.take(batch);
    }
    if (!next) return undefined;
    this.liveInARow = 0;
    const { message, publishTime } = next;
    this.pace.took(message.length);
    const replay = message.attributes[REPLAY_ATTRIBUTE] ?? "";
    return {
      message: { data: message.data, messageId: message.id, publishTime, watermark, replay },
      timestamp: publishTime,
    };
  }

  /** Whether nothing is left to take in this round although replay messages wait: their budget is used up. */
  get isOutOfBudget(): boolean {
    return !this.live.isReady && !this.pace.hasBudget;
  }

  /** Resolves when a message can be taken or an error has occurred, at the latest after `ms`. */
  wait(ms: number): Promise<void> {
    const isReady = this.live.isReady || (this.replay?.isReady && this.pace.hasBudget);
    return isReady ? Promise.resolve() : this.waker.wait(ms);
  }

  /** Records that the bundle of a batch was finalised; see {@link Subscriber.finalized}. */
  finalized({ live, replay }: ReaderBatch, checkpoint: number | undefined): void {
    this.live.finalized(live, checkpoint);
    if (replay) this.replay?.finalized(replay, checkpoint);
  }

  /** Nacks a batch. */
  nack({ live, replay }: ReaderBatch): void {
    this.live.nack(live);
    if (replay) this.replay?.nack(replay);
  }

  /** Ends the job attempt: nacks all unacknowledged messages and stops pulling. */
  async close(): Promise<void> {
    await Promise.all([this.live.close(), this.replay?.close()]);
  }
}
