import "../sdk";
import { Context, type Coder, type ProtoContext } from "apache-beam/coders/coders";
import { BytesCoder, FullWindowedValueCoder } from "apache-beam/coders/required_coders";
import type { Window, WindowedValue } from "apache-beam/values";
import { Reader, type Writer } from "protobufjs";

/**
 * `beam:coder:param_windowed_value:v1`: values that all have the same event time, windows and pane. Only the value is
 * encoded; the payload of the coder has the rest, as an encoded windowed value without bytes.
 */
export class ParamWindowedValueCoder<T> implements Coder<WindowedValue<T>> {
  static readonly URN = "beam:coder:param_windowed_value:v1";
  private readonly parameters: Omit<WindowedValue<T>, "value">;

  constructor(
    private readonly payload: Uint8Array,
    readonly valueCoder: Coder<T>,
    readonly windowCoder: Coder<Window>,
  ) {
    const empty = new FullWindowedValueCoder(new BytesCoder(), windowCoder);
    const { timestamp, windows, pane } = empty.decode(new Reader(payload), Context.needsDelimiters);
    this.parameters = { timestamp, windows, pane };
  }

  /** The same coder for values of another coder. */
  withValueCoder(valueCoder: Coder<T>): ParamWindowedValueCoder<T> {
    return new ParamWindowedValueCoder(this.payload, valueCoder, this.windowCoder);
  }

  /** The event time, windows and pane of the value must be those of the coder; they are not encoded. */
  encode({ value }: WindowedValue<T>, writer: Writer, context: Context): void {
    this.valueCoder.encode(value, writer, context);
  }

  decode(reader: Reader, context: Context): WindowedValue<T> {
    return { ...this.parameters, value: this.valueCoder.decode(reader, context) };
  }

  toProto(context: ProtoContext) {
    const componentCoderIds = [context.getCoderId(this.valueCoder), context.getCoderId(this.windowCoder)];
    return { spec: { urn: ParamWindowedValueCoder.URN, payload: this.payload }, componentCoderIds };
  }
}
