/**
 * Patches the data channel of the worker:
 * - The SDK handles messages of the data stream concurrently: when an operator returns a promise or a bundle takes more
 *   than 100 ms, the end-of-bundle message overtakes data, and the rest of the bundle is **lost without an error**. The
 *   patch has a queue for each bundle, and the stream only appends to it.
 * - When the stream breaks or ends, bundles wait for data forever. The patch fails them, and reports the end of the stream.
 * - Data of bundles that have ended is kept forever. The patch drops it.
 * - There is no backpressure in either direction. Of what arrives and waits for its bundle, and of what waits for the runner,
 *   the patch keeps a bounded number of bytes in memory.
 * - Timers cannot be received or sent. The patch adds {@link openTimerStream}.
 */
import type { Elements } from "apache-beam/proto/beam_fn_api";
import { MultiplexingDataChannel } from "apache-beam/worker/data";
import { loggingLocalStorage } from "apache-beam/worker/logging";
import { DataSourceOperator, NonPromise, type OperatorContext, type ProcessResult } from "apache-beam/worker/operators";
import { Worker } from "apache-beam/worker/worker";

import { runAsStep } from "./metrics";
import { membersOf } from "./stateChannel";
import { streamFailed } from "./streams";

const MIB = 1 << 20;

/**
 * Bounds of each data stream, bytes; environment variable `BEAM_DATA_BUFFER_MIB` sets both. The stream is paused while more
 * data than `received` waits for bundles that have started, so that the flow control of HTTP/2 stops the runner; gRPC then
 * still holds up to 16 messages. Operators that send wait while more than `sent` has not been taken by the runner.
 *
 * The stream always goes on: a bundle works through its data without needing other data, and data of bundles that have not
 * started yet is not counted. But Flink sends timers while it holds the lock that it needs to answer state requests, and to
 * take timers that are set. So when nothing is worked through for `stallMs` while the worker waits for such an answer, or for
 * the runner to take output, the stream takes as much again.
 */
export const dataLimits = { received: bufferMib() * MIB, sent: bufferMib() * MIB, stallMs: 5000 };

function bufferMib(): number {
  return Number(process.env["BEAM_DATA_BUFFER_MIB"] ?? 32);
}

/** Number of ended bundles whose late data is recognized and dropped. */
const MAX_ENDED_IDS = 4096;

/** What handles one kind of input of a bundle: the data of a source, or the timers of a family. */
interface Consumer {
  /** Handles a message. The next message of the bundle waits for the promise. */
  handle(bytes: Uint8Array): void | Promise<void>;
  /** Called after the last message. */
  end(): void;
  /** Called at most once, instead of `end`. */
  fail(error: unknown): void;
}

interface Message {
  readonly bytes: Uint8Array;
  readonly isLast: boolean;
}

/** Hands the messages of one bundle, data and timers, to their consumers: one after the other, until the first error. */
class BundleInbox {
  /** @param onBuffered called with the change of the bytes that wait for the consumers */
  constructor(private readonly onBuffered: (bytes: number) => void) {}

  private readonly consumers = new Map<string, Consumer>();
  /** Messages that arrived before their consumer was registered. */
  private readonly early = new Map<string, Message[]>();
  private queue: { readonly consumer: Consumer; readonly message: Message }[] = [];
  private isPumping = false;
  private failure: { readonly error: unknown } | undefined;

  register(key: string, consumer: Consumer): void {
    if (this.failure) {
      consumer.fail(this.failure.error);
      return;
    }
    this.consumers.set(key, consumer);
    for (const message of this.early.get(key) ?? []) this.enqueue(consumer, message);
    this.early.delete(key);
  }

  private enqueue(consumer: Consumer, message: Message): void {
    this.queue.push({ consumer, message });
    this.onBuffered(message.bytes.length);
    void this.pump();
  }

  deliver(key: string, message: Message): void {
    if (this.failure) return;
    const consumer = this.consumers.get(key);
    if (consumer) this.enqueue(consumer, message);
    else {
      const early = this.early.get(key);
      if (early) early.push(message);
      else this.early.set(key, [message]);
    }
  }

  private async pump(): Promise<void> {
    if (this.isPumping) return;
    this.isPumping = true;
    try {
      for (;;) {
        const next = this.queue.shift();
        if (!next) break;
        const { consumer, message } = next;
        try {
          if (message.bytes.length) await consumer.handle(message.bytes);
        } finally {
          this.onBuffered(-message.bytes.length);
        }
        if (message.isLast && !this.failure) consumer.end();
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.isPumping = false;
    }
  }

  /** Drops what waits and what arrives later. */
  close(error: unknown): void {
    this.failure = { error };
    for (const { message } of this.queue) this.onBuffered(-message.bytes.length);
    this.queue = [];
    this.early.clear();
  }

  /** Fails the consumers and drops what waits. */
  fail(error: unknown): void {
    if (this.failure) return;
    this.close(error);
    for (const consumer of this.consumers.values()) consumer.fail(error);
  }
}

type Stream = MultiplexingDataChannel["dataChannel"];

/** What the patch knows of a data channel. */
class ChannelState {
  /** Bytes that wait for bundles that have started. */
  received = 0;
  /** Bytes that the runner has not taken. */
  sent = 0;
  private waitingToSend: { resolve(): void; reject(error: Error): void }[] = [];
  /** Set while the stream is paused. */
  private stallTimer: NodeJS.Timeout | undefined;
  /** Room that was given in addition, because nothing went on. */
  private additional = 0;
  /** Number of messages that have been worked through. */
  private handled = 0;
  /** Number of messages that the runner has taken. */
  private taken = 0;
  /** Whether the worker waits for answers to state requests. */
  waitsForState = (): boolean => false;

  constructor(private readonly stream: Stream) {}

  readonly bundles = new Map<string, BundleInbox>();
  private readonly ended = new Set<string>();
  failure: Error | undefined;

  register(bundleId: string, key: string, consumer: Consumer): void {
    const inbox = this.inbox(bundleId);
    if (inbox) inbox.register(key, consumer);
    else consumer.fail(new Error(`The bundle ${bundleId} has ended`));
  }

  /** The inbox of a bundle; undefined when the bundle has ended. */
  inbox(bundleId: string): BundleInbox | undefined {
    let inbox = this.bundles.get(bundleId);
    if (!inbox && !this.ended.has(bundleId)) {
      this.bundles.set(bundleId, (inbox = new BundleInbox((bytes) => this.buffered(bytes))));
      if (this.failure) inbox.fail(this.failure);
    }
    return inbox;
  }

  end(bundleId: string): void {
    this.bundles.get(bundleId)?.close(new Error(`The bundle ${bundleId} has ended`));
    this.bundles.delete(bundleId);
    this.ended.add(bundleId);
    if (this.ended.size > MAX_ENDED_IDS) {
      for (const oldest of this.ended) {
        this.ended.delete(oldest);
        break;
      }
    }
  }

  fail(error: Error): void {
    if (this.failure) return;
    this.failure = error;
    for (const inbox of this.bundles.values()) inbox.fail(error);
    for (const { reject } of this.waitingToSend) reject(error);
    this.waitingToSend = [];
    clearInterval(this.stallTimer);
  }

  private buffered(bytes: number): void {
    this.received += bytes;
    if (bytes < 0) this.handled++;
    if (!this.stallTimer && this.received > dataLimits.received + this.additional) this.pause();
    else if (this.received <= dataLimits.received / 2) {
      this.additional = 0;
      this.resume();
    }
  }

  private pause(): void {
    this.stream.pause();
    let { handled, taken } = this;
    this.stallTimer = setInterval(() => {
      const waits = this.waitsForState() || (this.waitingToSend.length > 0 && this.taken === taken);
      if (waits && this.handled === handled) {
        this.additional += dataLimits.received;
        this.resume();
      }
      ({ handled, taken } = this);
    }, dataLimits.stallMs);
    this.stallTimer.unref();
  }

  private resume(): void {
    if (!this.stallTimer) return;
    clearInterval(this.stallTimer);
    this.stallTimer = undefined;
    this.stream.resume();
  }

  /** Whether senders have to wait. */
  get isCongested(): boolean {
    return this.sent > dataLimits.sent;
  }

  /** Sends a message. The promise, if any, is for the room for the next one. */
  send(elements: Elements, bytes: number): ProcessResult {
    if (this.failure) return Promise.reject(this.failure);
    this.sent += bytes;
    this.stream.write(elements, () => {
      this.sent -= bytes;
      this.taken++;
      if (this.isCongested) return;
      for (const { resolve } of this.waitingToSend) resolve();
      this.waitingToSend = [];
    });
    if (!this.isCongested) return NonPromise;
    return new Promise((resolve, reject) => this.waitingToSend.push({ resolve, reject }));
  }
}

const states = new WeakMap<MultiplexingDataChannel, ChannelState>();

function stateOf(channel: MultiplexingDataChannel): ChannelState {
  let state = states.get(channel);
  if (!state) states.set(channel, (state = new ChannelState(channel.dataChannel)));
  return state;
}

const dataKey = (transformId: string): string => transformId;
const timerKey = (transformId: string, familyId: string): string => JSON.stringify([transformId, familyId]);

/** Fails every bundle that waits for data of the channel, and every later bundle. */
export function failDataChannel(channel: MultiplexingDataChannel, error: Error): void {
  stateOf(channel).fail(error);
}

/** Frees what the channels keep for a bundle that has ended. Its data that arrives later is dropped. */
export function endBundleData(worker: Worker, bundleId: string): void {
  for (const channel of worker.dataChannels.values()) stateOf(channel).end(bundleId);
}

/** Number of bundles for which the channel has messages or consumers. */
export function openBundles(channel: MultiplexingDataChannel): number {
  return stateOf(channel).bundles.size;
}

/** Bytes that a channel holds: received for bundles that have started, and not yet taken by the runner. */
export function bufferedBytes(channel: MultiplexingDataChannel): { readonly received: number; readonly sent: number } {
  const { received, sent } = stateOf(channel);
  return { received, sent };
}

/** Whether operators that send data over the channel have to wait. */
export function isCongested(channel: MultiplexingDataChannel): boolean {
  return stateOf(channel).isCongested;
}

/** Dispatches without waiting, so that the inboxes keep the order of the stream. */
function dispatch(state: ChannelState, elements: Elements): void {
  for (const { instructionId, transformId, data: bytes, isLast } of elements.data) {
    state.inbox(instructionId)?.deliver(dataKey(transformId), { bytes, isLast });
  }
  for (const { instructionId, transformId, timerFamilyId, timers: bytes, isLast } of elements.timers) {
    state.inbox(instructionId)?.deliver(timerKey(transformId, timerFamilyId), { bytes, isLast });
  }
}

/** The timers of one family of a step in one bundle, in both directions. */
export interface TimerStream {
  /**
   * Resolves when the runner has sent the last timer of the bundle and every one has been handled. Rejects when a handler
   * of the bundle has thrown or the data stream broke. Await it in `finishBundle`.
   */
  readonly received: Promise<void>;
  /** Sends encoded timers, one or several, to the runner. Await the result when it is a promise. */
  send(timers: Uint8Array): ProcessResult;
  /**
   * Tells the runner that this was the last timer. Each stream must be closed in a bundle that succeeds: call it at the end
   * of `finishBundle`, also when nothing was sent.
   */
  close(): Promise<void>;
}

/**
 * Opens the timers of one family of a step for the current bundle. Call it in `startBundle`, for each family of the step.
 *
 * @param context of the operator; its descriptor names the endpoint for timers
 * @param onTimers handles encoded timers that fire, one or several in the order of the runner. It runs while no message with
 *   elements of the bundle is being handled; the next message, elements or timers, waits for its promise. A rejection fails
 *   the bundle
 * @throws Error when the runner has named no endpoint for timers
 */
export function openTimerStream(
  context: OperatorContext,
  transformId: string,
  familyId: string,
  onTimers: (timers: Uint8Array) => void | Promise<void>,
): TimerStream {
  const url = context.descriptor.timerApiServiceDescriptor?.url;
  if (!url) throw new Error(`${transformId}: the runner does not support timers (it names no endpoint for them)`);
  const channel = context.getDataChannel(url);
  const instructionId = context.getBundleId();
  const received = new Promise<void>((resolve, reject) => {
    const handle = (bytes: Uint8Array): void | Promise<void> => {
      context.loggingStageInfo.transformId = transformId;
      loggingLocalStorage.enterWith(context.loggingStageInfo);
      return runAsStep(context, transformId, () => onTimers(bytes));
    };
    const consumer: Consumer = { handle, end: resolve, fail: reject };
    stateOf(channel).register(instructionId, timerKey(transformId, familyId), consumer);
  });
  received.catch(() => {}); // finishBundle reports it, unless another step failed first
  const send = (timers: Uint8Array, isLast: boolean): ProcessResult => {
    const message = { instructionId, transformId, timerFamilyId: familyId, timers, isLast };
    return stateOf(channel).send({ data: [], timers: [message] }, timers.length);
  };
  return {
    received,
    send: (timers) => send(timers, false),
    close: async () => {
      await send(new Uint8Array(), true);
    },
  };
}

/** Patch `dataChannel`. */
export function patchDataChannel(): void {
  MultiplexingDataChannel.prototype.registerConsumer = function (bundleId, transformId, consumer) {
    const { sendData, close, onError } = consumer;
    const registered: Consumer = { handle: sendData, end: close, fail: onError };
    stateOf(this).register(bundleId, dataKey(transformId), registered);
    return Promise.resolve();
  };
  MultiplexingDataChannel.prototype.getSendChannel = function (instructionId, transformId) {
    const send = async (data: Uint8Array, isLast: boolean): Promise<void> => {
      const message = { instructionId, transformId, data, isLast };
      await stateOf(this).send({ data: [message], timers: [] }, data.length);
    };
    return {
      sendData: (data) => send(data, false),
      sendTimers: () => Promise.reject(new Error("Timers are sent by openTimerStream")),
      // A failed stream fails the bundle elsewhere.
      close: () => void send(new Uint8Array(), true).catch(() => {}),
      onError: (error) => {
        throw error;
      },
    };
  };
  // The end of the bundle frees its memory: see `endBundleData`.
  MultiplexingDataChannel.prototype.unregisterConsumer = () => {};
  // An error before `finishBundle` awaits the end of the data would be an unhandled rejection, which ends the process.
  const { startBundle } = DataSourceOperator.prototype;
  DataSourceOperator.prototype.startBundle = function () {
    const started = startBundle.call(this);
    this.endOfData.catch(() => {});
    return started;
  };
  const { getDataChannel } = Worker.prototype;
  Worker.prototype.getDataChannel = function (endpoint) {
    const known = this.dataChannels.has(endpoint);
    const channel = getDataChannel.call(this, endpoint);
    if (!known) {
      const state = stateOf(channel);
      state.waitsForState = () => {
        return [...this.stateChannels.values()].some((stateChannel) => membersOf(stateChannel).callbacks.size > 0);
      };
      channel.dataChannel.removeAllListeners("data");
      channel.dataChannel.on("data", (elements: Elements) => dispatch(state, elements));
      const failed = (error: Error): void => {
        state.fail(error);
        streamFailed(this, error);
      };
      channel.dataChannel.on("error", failed);
      channel.dataChannel.on("end", () => failed(new Error("The data stream ended")));
    }
    return channel;
  };
}
