/**
 * Sources of bundles whose elements have state-backed iterables. Runners send the values of a key that do not fit into one
 * message in such an iterable: the first ones, and a token by which the worker reads the rest on the state stream.
 *
 * Operators that declare `readsLargeIterables` get a `LargeIterable`; for all others, and for the SDK's own, the rest is
 * read before the element is processed, and the values are an array as always.
 */
import "../sdk";
import { Reader } from "protobufjs";
import { RemoteGrpcPort } from "apache-beam/proto/beam_fn_api";
import type { PTransform } from "apache-beam/proto/beam_runner_api";
import { Context, type Coder } from "apache-beam/coders/coders";
import { FullWindowedValueCoder } from "apache-beam/coders/required_coders";
import {
  registerOperatorConstructor,
  type DataSourceOperator,
  type OperatorContext,
  type ProcessResult,
  type Receiver,
} from "apache-beam/worker/operators";
import type { WindowedValue } from "apache-beam/values";
import {
  decodeIterables,
  StateBackedIterableCoder,
  tokenKey,
  type LargeIterable,
  type ReadPage,
} from "../coders/stateBackedIterable";
import { ParamWindowedValueCoder } from "../coders/paramWindowedValue";
import { sdkOperator, type ExtendedOperator } from "../patches/operators";
import { StateClient } from "./stateChannel";

const SOURCE_URN = "beam:runner:source:v1";

/** Whether a coder or one of its components is that of state-backed iterables. */
function hasStateBackedIterables(coderId: string, { descriptor: { coders } }: OperatorContext): boolean {
  const seen = new Set<string>();
  const search = (id: string): boolean => {
    if (seen.has(id)) return false;
    seen.add(id);
    const coder = coders[id];
    return coder?.spec?.urn === StateBackedIterableCoder.URN || (coder?.componentCoderIds.some(search) ?? false);
  };
  return search(coderId);
}

/** Reads the rests of the iterables of the bundle that is running. */
function pagesOfBundle(context: OperatorContext): ReadPage {
  const client = StateClient.forBundle(context);
  return (key, continuationToken) =>
    client.getPage({ type: { oneofKind: "runner", runner: { key } } }, continuationToken);
}

type Element = WindowedValue<unknown>;

/** Decodes the values of a source, and reads the rests of their iterables for operators that need arrays. */
class IterableSource {
  private bundleId: string | undefined;
  private readPage: ReadPage | undefined;
  private large: LargeIterable<unknown>[] = [];
  /** The last value in its encoded form, when it has a large iterable. */
  private encoded: Uint8Array = new Uint8Array();

  constructor(
    private readonly context: OperatorContext,
    private readonly receiver: Receiver,
    private readonly valueCoder: Coder<unknown>,
  ) {}

  private pages(): ReadPage {
    const bundleId = this.context.getBundleId();
    if (this.bundleId !== bundleId || !this.readPage) {
      this.bundleId = bundleId;
      // Most values are whole: the state stream is opened when one is not.
      let read: ReadPage | undefined;
      this.readPage = (token, from) => (read ??= pagesOfBundle(this.context))(token, from);
    }
    return this.readPage;
  }

  private get readsLargeIterables(): boolean {
    const { operators } = this.receiver as unknown as { operators: readonly ExtendedOperator[] };
    return operators.every((operator) => operator.readsLargeIterables);
  }

  /** The coder of the values, which remembers what the last one lacks. */
  readonly coder: Coder<unknown> = {
    encode: (value, writer, context) => void this.valueCoder.encode(value, writer, context),
    decode: (reader, context) => {
      const from = reader.pos;
      this.large = [];
      const onLarge = (iterable: LargeIterable<unknown>): void => void this.large.push(iterable);
      const value = decodeIterables({ readPage: this.pages(), onLarge }, () => this.valueCoder.decode(reader, context));
      if (this.large.length) this.encoded = reader.buf.subarray(from, reader.pos);
      return value;
    },
    toProto: (context) => this.valueCoder.toProto(context),
  };

  receive(element: Element): ProcessResult {
    if (this.large.length === 0 || this.readsLargeIterables) return this.receiver.receive(element);
    return this.receiveWhole(element, this.encoded, this.large);
  }

  /** Reads the rests, and decodes the value again, with arrays. An array may contain iterables that have a rest again. */
  private async receiveWhole(
    element: Element,
    encoded: Uint8Array,
    large: readonly LargeIterable<unknown>[],
  ): Promise<void> {
    const rests = new Map<string, Uint8Array>();
    let value: unknown;
    for (let missing = large; missing.length;) {
      for (const iterable of missing) rests.set(tokenKey(iterable.token), await iterable.readRest());
      const found: LargeIterable<unknown>[] = [];
      const scope = {
        readPage: this.pages(),
        rests,
        onLarge: (iterable: LargeIterable<unknown>) => found.push(iterable),
      };
      value = decodeIterables(scope, () => this.valueCoder.decode(new Reader(encoded), Context.needsDelimiters));
      missing = found;
    }
    const result = this.receiver.receive({ ...element, value });
    if (result) await result;
  }
}

const createSource = sdkOperator(SOURCE_URN);

registerOperatorConstructor(SOURCE_URN, (id: string, transform: PTransform, context: OperatorContext) => {
  const source = createSource(id, transform, context) as DataSourceOperator;
  const { coderId } = RemoteGrpcPort.fromBinary(transform.spec?.payload as Uint8Array);
  if (!hasStateBackedIterables(coderId, context)) return source;
  const { coder, receiver } = source;
  const isFull = coder instanceof FullWindowedValueCoder;
  if (!isFull && !(coder instanceof ParamWindowedValueCoder))
    throw new Error(`${id}: an unknown coder of windowed values`);
  const iterables = new IterableSource(context, receiver, isFull ? coder.elementCoder : coder.valueCoder);
  source.coder = isFull
    ? new FullWindowedValueCoder(iterables.coder, coder.windowCoder)
    : coder.withValueCoder(iterables.coder);
  source.receiver = Object.assign(Object.create(receiver) as Receiver, {
    receive: (element: Element) => iterables.receive(element),
  });
  return source;
});
