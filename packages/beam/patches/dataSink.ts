/**
 * Patches `DataSinkOperator`: its `flush` replaces the buffer after the await, so that more than 1 MB from one `process()`
 * is sent repeatedly. The patch also flushes during a long bundle, so that the runner gets output before the bundle ends.
 */
import protobufjs from "protobufjs";
import { registerOperatorConstructor, type IOperator } from "apache-beam/worker/operators";
import type { IDataChannel, MultiplexingDataChannel } from "apache-beam/worker/data";
import { isCongested } from "./dataChannel";
import { sdkOperator } from "./operators";

const SINK_URN = "beam:runner:sink:v1";
const FLUSH_EVERY_MS = 200;

interface DataSink extends IOperator {
  buffer: protobufjs.Writer;
  channel: IDataChannel;
  readonly multiplexingDataChannel: MultiplexingDataChannel;
  flush(): Promise<void>;
  bundleEnded?(): void;
}

const open = new Set<DataSink>();

async function flush(this: DataSink): Promise<void> {
  if (this.buffer.len === 0) return;
  const full = this.buffer;
  this.buffer = new protobufjs.Writer();
  await this.channel.sendData(full.finish());
}

/** Patch `dataSink`. */
export function patchDataSink(): void {
  const original = sdkOperator(SINK_URN);
  registerOperatorConstructor(SINK_URN, (id, transform, context) => {
    const sink = original(id, transform, context) as DataSink;
    const startBundle = sink.startBundle.bind(sink);
    sink.startBundle = () => {
      open.add(sink);
      return startBundle();
    };
    sink.bundleEnded = () => void open.delete(sink);
    sink.flush = flush;
    return sink;
  });
  setInterval(() => {
    for (const sink of open) {
      // A runner that does not take what was sent gets no more; the steps that emit wait for it.
      if (isCongested(sink.multiplexingDataChannel)) continue;
      sink.flush().catch(() => {}); // the bundle fails with the data stream
    }
  }, FLUSH_EVERY_MS).unref();
}
