/** Sizes of the elements of a collection, of a sample: to encode each element would be dear. */
import protobufjs from "protobufjs";
import type { Coder } from "apache-beam/coders/coders";
import type { ProcessBundleDescriptor } from "apache-beam/proto/beam_fn_api";
import type { DistributionCell } from "./cells";

/** The first elements are all measured, and later elements ever less often, as in Beam's Python SDK. */
const ALL_UNTIL = 10;

/** An iterable may only be read once, or may be read from the runner. */
const UNMEASURED = /^beam:coder:(state_backed_)?iterable:v1$/;

/** Whether elements can be encoded only to learn their size. */
export function isMeasurable({ coders }: ProcessBundleDescriptor, coderId: string): boolean {
  const coder = coders[coderId];
  if (!coder || UNMEASURED.test(coder.spec?.urn ?? "")) return false;
  return coder.componentCoderIds.every((id) => isMeasurable({ coders } as ProcessBundleDescriptor, id));
}

/** Chooses the elements of a collection whose size is measured, and adds their sizes to the metric. */
export class ByteSizeSampler {
  private seen = 0;
  private next = 0;

  /**
   * @param cell the metric of the collection
   * @param random at least 0, below 1
   */
  constructor(
    private readonly cell: DistributionCell,
    private readonly random: () => number = Math.random,
  ) {}

  /** Whether to measure the next element. */
  isNext(): boolean {
    if (this.seen++ < this.next) return false;
    this.next =
      this.seen < ALL_UNTIL
        ? this.seen
        : // The gap of a reservoir sample of ten elements.
          this.seen + Math.floor(Math.log(1 - this.random()) / Math.log(1 - ALL_UNTIL / (this.seen + 1)));
    return true;
  }

  add(bytes: number): void {
    this.cell.update(bytes);
  }

  /** Measures a value by encoding it. A value that cannot be encoded is left out: its sink reports the error. */
  measure(encode: (writer: protobufjs.Writer) => void): void {
    const writer = new protobufjs.Writer();
    try {
      encode(writer);
    } catch {
      return;
    }
    this.add(writer.len);
  }
}

/** A coder that measures a sample of what it decodes. */
export function measuring<T>(coder: Coder<T>, sampler: ByteSizeSampler): Coder<T> {
  return {
    encode: (value, writer, context) => void coder.encode(value, writer, context),
    decode: (reader, context) => {
      if (!sampler.isNext()) return coder.decode(reader, context);
      const start = reader.pos;
      const value = coder.decode(reader, context);
      sampler.add(reader.pos - start);
      return value;
    },
    toProto: coder.toProto.bind(coder),
  };
}
