import "@eventlogger/beam/sdk";
import {
  bundleParDo,
  count,
  gaugeFrom,
  pipe,
  registerModule,
  splittableParDo,
  statefulParDo,
  stringCoder,
  textKvCoder,
  valueState,
  withKvCoder,
  type BundleDoFn,
  type CellsOf,
  type ProcessContext,
  type Residual,
  type SplittableDoFn,
  type StateDeclaration,
  type StatefulDoFn,
  type ValueCell,
} from "@eventlogger/beam";
import { impulse, parDo, withName, type Root } from "apache-beam";
import { createHash } from "node:crypto";

/** What a run writes. */
export interface StateLoad {
  /** Number of keys of each of the two steps. */
  readonly keys: number;
  /** Keys of each step that are changed in a second, once all exist. */
  readonly changesPerSecond: number;
}

/** Position of the source: the number of writes so far. The first `keys` of them create the keys. */
interface Position {
  readonly next: number;
}

/** The position that the source of this process has reached. */
let position: number | undefined;
gaugeFrom("writes", () => position);

/** Writes of a bundle while keys are created. */
const CHUNK = 2000;

/** Numbers the writes: first every key once, as fast as the runner takes them, then pseudo-random keys at the given rate. */
export class Writes implements SplittableDoFn<string, Position> {
  constructor(private readonly load: StateLoad) {}
  restrictions(): Position[] {
    return [{ next: 0 }];
  }
  async process({ next }: Position, context: ProcessContext<string>): Promise<Residual<Position>> {
    const { keys, changesPerSecond } = this.load;
    const isFilling = next < keys;
    const end = isFilling ? Math.min(keys, next + CHUNK) : next + Math.ceil(changesPerSecond / 4);
    for (let i = next; i < end; i++) {
      // 2654435761 is odd and near the golden ratio of 2^32: the keys are spread over the whole range.
      const key = i < keys ? i : Math.imul(i, 2654435761) >>> 0;
      await context.emit(`${key % keys} ${i}`, 0);
    }
    position = end;
    return { restriction: { next: end }, watermarkMs: 0, resumeDelayMs: isFilling ? 0 : 250 };
  }
}

export class SplitWrite {
  *process(write: string): Iterable<{ key: string; value: string }> {
    const [key = "", value = ""] = write.split(" ");
    yield { key: createHash("sha1").update(key).digest("base64url").slice(0, 22), value };
  }
}

type Record = { record: StateDeclaration<ValueCell<string>> };

/** Keeps a text of 60 characters that cannot be compressed for each key. */
export class KeepRecord implements StatefulDoFn<string, string, Record> {
  constructor(private readonly counter: string) {}
  states(): Record {
    return { record: valueState(stringCoder) };
  }
  process(_key: string, value: string, { record }: CellsOf<Record>): void {
    if (record.read() === undefined) count(`${this.counter}.new`);
    count(this.counter);
    record.write(createHash("sha512").update(value).digest("base64url").slice(0, 60));
  }
}

export class Drop implements BundleDoFn<string, never> {
  process(): void {}
}

/** Two steps with state, as many keys in each. */
export function statePipeline(load: StateLoad): (root: Root) => void {
  return (root) => {
    const writes = pipe(
      root,
      impulse(),
      splittableParDo("writes", new Writes(load), stringCoder),
      withName("split", parDo(new SplitWrite())),
      withKvCoder("by key", textKvCoder),
    );
    for (const name of ["users", "sessions"]) {
      pipe(
        writes,
        statefulParDo(name, new KeepRecord(name), { input: textKvCoder, output: stringCoder }),
        bundleParDo(`drop ${name}`, new Drop(), stringCoder),
      );
    }
  };
}

registerModule(module);
