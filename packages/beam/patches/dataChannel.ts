/**
 * Mends the data channel of the worker:
 * - Messages of the data stream are handled concurrently: when an operator returns a promise or a bundle takes over
 *   100 ms, the end-of-bundle message overtakes data, and the rest of the bundle is **lost without an error**. Here each
 *   (bundle, transform) has a queue and the stream only ever appends to it.
 * - A broken or ended stream leaves bundles waiting for data for ever. Here they fail.
 * - `unregisterConsumer` leaves one empty Map per bundle.
 */
import type { Elements } from "apache-beam/proto/beam_fn_api";
import { MultiplexingDataChannel, type IDataChannel } from "apache-beam/worker/data";
import { Worker } from "apache-beam/worker/worker";

/** What the SDK puts in a consumer's place while nobody is registered. */
interface BufferingChannel extends IDataChannel {
  flush(channel: IDataChannel): Promise<void>;
}

const failures = new WeakMap<MultiplexingDataChannel, Error>();

/** Handles the messages for one consumer strictly one after the other; the first error ends it. */
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

  /** Takes over what arrived before the consumer was registered. */
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

/** Fails every bundle that waits for data of the channel, and every later one. */
export function failDataChannel(channel: MultiplexingDataChannel, error: Error): void {
  if (failures.has(channel)) return;
  failures.set(channel, error);
  for (const consumers of [...channel.consumers.values()]) {
    for (const consumer of [...consumers.values()]) consumer.onError(error);
  }
}

/** Dispatches without waiting, so that the order of the stream is the order of the queues. */
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
