import "../sdk";
import { Context, type Coder, type ProtoContext } from "apache-beam/coders/coders";
import { InstantCoder } from "apache-beam/coders/required_coders";
import type { Window } from "apache-beam/values";
import type { Reader, Writer } from "protobufjs";

/**
 * `beam:coder:custom_window:v1`: windows whose coder a runner need not know. The largest event time of the window comes
 * first, so that a runner can tell when the window ends.
 */
export class CustomWindowCoder<W extends Window> implements Coder<W> {
  static readonly URN = "beam:coder:custom_window:v1";

  constructor(readonly windowCoder: Coder<W>) {}

  encode(window: W, writer: Writer, context: Context): void {
    InstantCoder.INSTANCE.encode(window.maxTimestamp(), writer, Context.needsDelimiters);
    this.windowCoder.encode(window, writer, context);
  }

  decode(reader: Reader, context: Context): W {
    InstantCoder.INSTANCE.decode(reader, Context.needsDelimiters);
    return this.windowCoder.decode(reader, context);
  }

  toProto(context: ProtoContext) {
    const componentCoderIds = [context.getCoderId(this.windowCoder)];
    return { spec: { urn: CustomWindowCoder.URN, payload: new Uint8Array() }, componentCoderIds };
  }
}
