import "../sdk";
import type { Reader, Writer } from "protobufjs";
import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import { Context, globalRegistry, type Coder, type ProtoContext } from "apache-beam/coders/coders";
import { InstantCoder, IterableCoder, PaneInfoCoder } from "apache-beam/coders/required_coders";
import { StrUtf8Coder } from "apache-beam/coders/standard_coders";
import type { Instant, PaneInfo, Window } from "apache-beam/values";

/** A timer as runner and worker exchange it. */
export type EncodedTimer<K> = {
  readonly key: K;
  /** Dynamic timer tag. */
  readonly tag: string;
  readonly windows: readonly Window[];
} & (
  | { readonly clear: true }
  | {
      readonly clear: false;
      readonly fireTimestamp: Instant;
      /** The output timestamp, which holds the watermark of the output. */
      readonly holdTimestamp: Instant;
      readonly pane: PaneInfo;
    }
);

const tagCoder = new StrUtf8Coder();

/** `beam:coder:timer:v1` of the Beam model: key, tag, windows, clear bit; unless cleared also two times and the pane. */
export class TimerCoder<K> implements Coder<EncodedTimer<K>> {
  static readonly URN = "beam:coder:timer:v1";
  private readonly windowsCoder: IterableCoder<Window>;

  constructor(
    readonly keyCoder: Coder<K>,
    readonly windowCoder: Coder<Window>,
  ) {
    this.windowsCoder = new IterableCoder(windowCoder);
  }

  encode(timer: EncodedTimer<K>, writer: Writer, _context?: Context): void {
    this.keyCoder.encode(timer.key, writer, Context.needsDelimiters);
    tagCoder.encode(timer.tag, writer, Context.needsDelimiters);
    this.windowsCoder.encode(timer.windows, writer, Context.needsDelimiters);
    writer.bool(timer.clear);
    if (timer.clear) return;
    InstantCoder.INSTANCE.encode(timer.fireTimestamp, writer, Context.needsDelimiters);
    InstantCoder.INSTANCE.encode(timer.holdTimestamp, writer, Context.needsDelimiters);
    PaneInfoCoder.INSTANCE.encode(timer.pane, writer, Context.needsDelimiters);
  }

  decode(reader: Reader, _context?: Context): EncodedTimer<K> {
    const key = this.keyCoder.decode(reader, Context.needsDelimiters);
    const tag = tagCoder.decode(reader, Context.needsDelimiters);
    const windows = [...this.windowsCoder.decode(reader, Context.needsDelimiters)];
    if (reader.bool()) return { key, tag, windows, clear: true };
    const fireTimestamp = InstantCoder.INSTANCE.decode(reader, Context.needsDelimiters);
    const holdTimestamp = InstantCoder.INSTANCE.decode(reader, Context.needsDelimiters);
    const pane = PaneInfoCoder.INSTANCE.decode(reader, Context.needsDelimiters);
    return { key, tag, windows, clear: false, fireTimestamp, holdTimestamp, pane };
  }

  toProto(context: ProtoContext): runnerApi.Coder {
    return {
      spec: { urn: TimerCoder.URN, payload: new Uint8Array() },
      componentCoderIds: [context.getCoderId(this.keyCoder), context.getCoderId(this.windowCoder)],
    };
  }
}

globalRegistry().register(TimerCoder.URN, TimerCoder as unknown as new (...components: unknown[]) => Coder<unknown>);
