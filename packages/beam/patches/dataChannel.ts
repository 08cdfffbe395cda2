/**
 * Patches the data channel of the worker:
 * - The SDK handles messages of the data stream concurrently: when an operator returns a promise or a bundle takes more
 *   than 100 ms, the end-of-bundle message overtakes data, and the rest of the bundle is **lost without an error**. The
 *   patch has a queue for each bundle, and the stream only appends to it.
 * - When the stream breaks or ends, bundles wait for data forever. The patch fails them, and reports the end of the stream.
 * - Data of bundles that have ended is kept forever. The patch drops it.
 * - Timers cannot be received or sent. The patch adds {@link openTimerStream}.
 */
import type { Elements } from "apache-beam/proto/beam_fn_api";
import { MultiplexingDataChannel } from "apache-beam/worker/data";
import { loggingLocalStorage } from "apache-beam/worker/logging";
import { DataSourceOperator, NonPromise, type OperatorContext, type ProcessResult } from "apache-beam/worker/operators";
import { Worker } from "apache-beam/worker/worker";

import { streamFailed } from "./streams";

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
    for (const message of this.early.get(key) ?? []) this.queue.push({ consumer, message });
    this.early.delete(key);
    void this.pump();
  }

  deliver(key: string, message: Message): void {
    if (this.failure) return;
    const consumer = this.consumers.get(key);
    if (consumer) {
      this.queue.push({ consumer, message });
      void this.pump();
    } else {
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
        if (message.bytes.length) await consumer.handle(message.bytes);
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

/** What the patch knows of a data channel. */
class ChannelState {
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
      this.bundles.set(bundleId, (inbox = new BundleInbox()));
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
  }
}

const states = new WeakMap<MultiplexingDataChannel, ChannelState>();

function stateOf(channel: MultiplexingDataChannel): ChannelState {
  let state = states.get(channel);
  if (!state) states.set(channel, (state = new ChannelState()));
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
  close(): void;
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
      return onTimers(bytes);
    };
    const consumer: Consumer = { handle, end: resolve, fail: reject };
    stateOf(channel).register(instructionId, timerKey(transformId, familyId), consumer);
  });
  received.catch(() => {}); // finishBundle reports it, unless another step failed first
  const write = (timers: Uint8Array, isLast: boolean): void => {
    const message = { instructionId, transformId, timerFamilyId: familyId, timers, isLast };
    channel.dataChannel.write({ data: [], timers: [message] });
  };
  return {
    received,
    send: (timers) => {
      write(timers, false);
      return NonPromise;
    },
    close: () => write(new Uint8Array(), true),
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
