import "../sdk";
import { Context, writeRawBytes, type Coder, type ProtoContext } from "apache-beam/coders/coders";
import { IterableCoder } from "apache-beam/coders/required_coders";
import { Reader, type Writer } from "protobufjs";
import { readInt64 } from "../patches/int64";

/** One page of the encoded elements of an iterable. Elements may be cut at the end of a page. */
export interface Page {
  readonly data: Uint8Array;
  /** Where the next page begins; empty: this page is the last one. */
  readonly continuationToken: Uint8Array;
}

/** Reads the rest of an iterable from the runner: the page that begins at `continuationToken` (empty: the first page). */
export type ReadPage = (iterableToken: Uint8Array, continuationToken: Uint8Array) => Promise<Page>;

/** How the iterables of a bundle are decoded; see {@link decodeIterables}. */
export interface IterableScope {
  readonly readPage: ReadPage;
  /** Encoded rests that have been read, by {@link tokenKey}. Iterables whose rest is here are decoded to arrays. */
  readonly rests?: ReadonlyMap<string, Uint8Array>;
  /** Receives each iterable whose rest is not in `rests`. */
  readonly onLarge?: (iterable: LargeIterable<unknown>) => void;
}

/** The key of an iterable in {@link IterableScope.rests}. */
export const tokenKey = (iterableToken: Uint8Array): string => Buffer.from(iterableToken).toString("base64");

let current: IterableScope | undefined;

/** Decodes an element whose iterables may have a rest at the runner. Decoding is synchronous, so there is one scope at a time. */
export function decodeIterables<T>(scope: IterableScope, decode: () => T): T {
  const outer = current;
  current = scope;
  try {
    return decode();
  } finally {
    current = outer;
  }
}

/** Decodes the elements of the pages. An element is decoded when all of its bytes have arrived. */
async function* elementsOf<T>(pages: AsyncIterable<Page>, coder: Coder<T>, scope: IterableScope): AsyncGenerator<T> {
  let rest: Uint8Array = new Uint8Array();
  for await (const { data, continuationToken } of pages) {
    const bytes = rest.length ? Buffer.concat([rest, data]) : data;
    const reader = new Reader(bytes);
    let decoded = 0;
    while (reader.pos < reader.len) {
      let element: T;
      try {
        element = decodeIterables(scope, () => coder.decode(reader, Context.needsDelimiters));
        if (reader.pos > reader.len) throw new RangeError("The encoded elements of an iterable end within an element");
      } catch (error) {
        // Not every coder notices that bytes are missing: the error may be any.
        if (continuationToken.length === 0) throw error;
        break;
      }
      decoded = reader.pos;
      yield element;
    }
    rest = bytes.subarray(decoded);
  }
}

/**
 * The values of a key that do not fit into one message. The first ones came with the element; the runner keeps the rest, which is
 * read page by page with `for await`, as often as wanted, while the bundle runs. Memory holds the first ones and one page.
 */
export class LargeIterable<T> implements AsyncIterable<T> {
  private readonly scope: IterableScope;

  constructor(
    /** The values that came with the element. */
    readonly first: readonly T[],
    /** By which the runner knows the iterable. */
    readonly token: Uint8Array,
    private readonly elementCoder: Coder<T>,
    scope: IterableScope,
  ) {
    this.scope = { readPage: scope.readPage };
  }

  private async *pages(): AsyncGenerator<Page> {
    let continuationToken: Uint8Array = new Uint8Array();
    do {
      const page = await this.scope.readPage(this.token, continuationToken);
      yield page;
      ({ continuationToken } = page);
    } while (continuationToken.length);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    yield* this.first;
    yield* elementsOf(this.pages(), this.elementCoder, this.scope);
  }

  /** The encoded rest, whole. */
  async readRest(): Promise<Uint8Array> {
    const pages: Uint8Array[] = [];
    for await (const { data } of this.pages()) pages.push(data);
    return Buffer.concat(pages);
  }

  /** @throws Error always: the rest is at the runner */
  [Symbol.iterator](): never {
    throw new Error("These values are not in memory as a whole: read them with `for await`");
  }

  /** @throws Error always, because a part of the values would be lost */
  toJSON(): never {
    throw new Error(
      "Values that are not in memory as a whole cannot be an element of a collection: emit what is needed",
    );
  }

  /** As {@link toJSON}, for the SDK's coder of objects. */
  toBSON(): never {
    return this.toJSON();
  }
}

/** In the stream of an iterable of unknown length: instead of a count, when a token follows. */
const TOKEN_FOLLOWS = -1;
const UNKNOWN_LENGTH = Uint8Array.of(0xff, 0xff, 0xff, 0xff);

/**
 * `beam:coder:state_backed_iterable:v1`: the encoding of iterables, in which a token may take the place of the last elements.
 * Iterables without a token are decoded to arrays, others to {@link LargeIterable}.
 */
export class StateBackedIterableCoder<T> implements Coder<Iterable<T> | LargeIterable<T>> {
  static readonly URN = "beam:coder:state_backed_iterable:v1";
  private readonly iterables: IterableCoder<T>;

  constructor(readonly elementCoder: Coder<T>) {
    this.iterables = new IterableCoder(elementCoder);
  }

  encode(value: Iterable<T> | LargeIterable<T>, writer: Writer, context: Context): void {
    if (!(value instanceof LargeIterable)) {
      this.iterables.encode(value, writer, context);
      return;
    }
    writeRawBytes(UNKNOWN_LENGTH, writer);
    if (value.first.length) {
      writer.int64(value.first.length);
      for (const element of value.first) this.elementCoder.encode(element, writer, Context.needsDelimiters);
    }
    writer.int64(TOKEN_FOLLOWS);
    writer.bytes(value.token);
  }

  /** @throws Error when a rest is at the runner, and the element is not decoded for a bundle; see {@link decodeIterables} */
  decode(reader: Reader): T[] | LargeIterable<T> {
    const elements: T[] = [];
    const read = (count: number): void => {
      for (let left = count; left > 0; left--) {
        elements.push(this.elementCoder.decode(reader, Context.needsDelimiters));
      }
    };
    const length = reader.fixed32();
    if (length !== 0xffffffff) {
      read(Buffer.from(Uint32Array.of(length).buffer).readUInt32BE());
      return elements;
    }
    for (;;) {
      const count = Number(readInt64(reader));
      if (count === 0) return elements;
      if (count === TOKEN_FOLLOWS) return this.withRest(elements, Uint8Array.from(reader.bytes()));
      read(count);
    }
  }

  private withRest(first: T[], token: Uint8Array): T[] | LargeIterable<T> {
    if (!current) throw new Error("The rest of an iterable is at the runner, and cannot be read here");
    const rest = current.rests?.get(tokenKey(token));
    if (rest) {
      const reader = new Reader(rest);
      while (reader.pos < reader.len) first.push(this.elementCoder.decode(reader, Context.needsDelimiters));
      return first;
    }
    const iterable = new LargeIterable(first, token, this.elementCoder, current);
    current.onLarge?.(iterable);
    return iterable;
  }

  toProto(context: ProtoContext) {
    const componentCoderIds = [context.getCoderId(this.elementCoder)];
    return { spec: { urn: StateBackedIterableCoder.URN, payload: new Uint8Array() }, componentCoderIds };
  }
}
