/**
 * Patches the data channel of the worker:
 * - The SDK handles messages of the data stream concurrently: when an operator returns a promise or a bundle takes more
 *   than 100 ms, the end-of-bundle message overtakes data, and the rest of the bundle is **lost without an error**. The
 *   patch has a queue for each (bundle, transform), and the stream only appends to it.
 * - When the stream breaks or ends, bundles wait for data forever. The patch fails them.
 * - `unregisterConsumer` leaks one empty Map per bundle.
 */
import type { Elements } from "apache-beam/proto/beam_fn_api";
import { MultiplexingDataChannel, type IDataChannel } from "apache-beam/worker/data";
import { Worker } from "apache-beam/worker/worker";

/** The SDK's placeholder for a consumer that is not registered yet. */
interface BufferingChannel extends IDataChannel {
  flush(channel: IDataChannel): Promise<void>;
}

const failures = new WeakMap<MultiplexingDataChannel, Error>();

/** Handles the messages for one consumer one after the other, until the first error. */
class OrderedConsumer implements IDataChannel {
  private tail: Promise<void> = Promise.resolve();
  private failed = false;

  constructor(private readonly consumer: IDataChannel) {}

  private enqueue(step: () => unknown): Promise<void> {
    this.tail = this.tail
      .then(async () => {
        if (!this.failed) await step();
      })
      .catch((error: unknown) => this.onError(error));
    return this.tail;
  }

  /** Handles the messages that arrived before the consumer was registered. */
  takeOver(buffered: BufferingChannel): void {
    void this.enqueue(() => buffered.flush(this.consumer));
  }
  sendData = (data: Uint8Array): Promise<void> => this.enqueue(() => this.consumer.sendData(data));
  sendTimers = (family: string, timers: Uint8Array): Promise<void> =>
    this.enqueue(() => this.consumer.sendTimers(family, timers));
  close = (): void => void this.enqueue(() => this.consumer.close());
  onError = (error: unknown): void => {
    if (this.failed) return;
    this.failed = true;
    this.consumer.onError(error);
  };
}

/** Fails every bundle that waits for data of the channel, and every later bundle. */
export function failDataChannel(channel: MultiplexingDataChannel, error: Error): void {
  if (failures.has(channel)) return;
  failures.set(channel, error);
  for (const consumers of [...channel.consumers.values()]) {
    for (const consumer of [...consumers.values()]) consumer.onError(error);
  }
}

/** Dispatches without waiting, so that the queues keep the order of the stream. */
function dispatch(channel: MultiplexingDataChannel, elements: Elements): void {
  for (const data of elements.data) {
    const consumer = channel.getConsumer(data.instructionId, data.transformId);
    if (data.data.length) void consumer.sendData(data.data);
    if (data.isLast) consumer.close();
  }
  for (const timers of elements.timers) {
    const consumer = channel.getConsumer(timers.instructionId, timers.transformId);
    if (timers.timers.length) void consumer.sendTimers(timers.timerFamilyId, timers.timers);
    if (timers.isLast) consumer.close();
  }
}

/** Patch `dataChannel`. */
export function patchDataChannel(): void {
  MultiplexingDataChannel.prototype.registerConsumer = function (bundleId, transformId, consumer) {
    const ordered = new OrderedConsumer(consumer);
    let byTransform = this.consumers.get(bundleId);
    if (!byTransform) this.consumers.set(bundleId, (byTransform = new Map<string, IDataChannel>()));
    const buffered = byTransform.get(transformId);
    if (buffered) ordered.takeOver(buffered as BufferingChannel);
    byTransform.set(transformId, ordered);
    const failure = failures.get(this);
    if (failure) ordered.onError(failure);
    return Promise.resolve();
  };
  MultiplexingDataChannel.prototype.unregisterConsumer = function (bundleId, transformId) {
    const byTransform = this.consumers.get(bundleId);
    byTransform?.delete(transformId);
    if (byTransform?.size === 0) this.consumers.delete(bundleId);
  };
  const { getDataChannel } = Worker.prototype;
  Worker.prototype.getDataChannel = function (endpoint) {
    const known = this.dataChannels.has(endpoint);
    const channel = getDataChannel.call(this, endpoint);
    if (!known) {
      channel.dataChannel.removeAllListeners("data");
      channel.dataChannel.on("data", (elements: Elements) => dispatch(channel, elements));
      channel.dataChannel.on("error", (error: Error) => failDataChannel(channel, error));
      channel.dataChannel.on("end", () => failDataChannel(channel, new Error("The data stream ended")));
    }
    return channel;
  };
}
