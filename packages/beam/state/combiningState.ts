import "../sdk";
import type { StateKey } from "apache-beam/proto/beam_fn_api";
import type { Coder } from "apache-beam/coders/coders";
import type { CombineFn } from "apache-beam/transforms/group_and_combine";
import { BYTES_PER_ENCODED_BYTE, CELL_OVERHEAD, decodeAll, encodeAll, type Cell, type StateDeclaration } from "./cells";
import type { StateClient } from "./stateChannel";

/** CombiningState of the Beam model: combines what is added, and stores the accumulator. */
export class CombiningState<I, A, O> implements Cell {
  private accumulator: A | undefined;
  private stored = false;
  private changed = false;
  weight = CELL_OVERHEAD;

  constructor(
    private readonly combineFn: CombineFn<I, A, O>,
    private readonly coder: Coder<A>,
  ) {}

  /** The combined value; that of no elements when nothing was added. */
  read(): O {
    return this.combineFn.extractOutput(this.accumulator ?? this.combineFn.createAccumulator());
  }
  add(value: I): void {
    this.accumulator = this.combineFn.addInput(this.accumulator ?? this.combineFn.createAccumulator(), value);
    this.changed = true;
  }
  /** Whether nothing was added since the state was created or cleared. */
  isEmpty(): boolean {
    return this.accumulator === undefined;
  }
  clear(): void {
    this.accumulator = undefined;
    this.changed = true;
  }
  load(bytes: Uint8Array): void {
    const accumulators = decodeAll(this.coder, bytes);
    // Runners that compact states themselves may have stored several.
    this.accumulator = accumulators.length > 1 ? this.combineFn.mergeAccumulators(accumulators) : accumulators[0];
    this.stored = accumulators.length > 0;
    this.weight = CELL_OVERHEAD + BYTES_PER_ENCODED_BYTE * bytes.length;
  }
  save(client: StateClient, key: StateKey): Promise<void>[] {
    if (!this.changed) return [];
    this.changed = false;
    const requests: Promise<void>[] = [];
    if (this.stored) requests.push(client.clear(key));
    this.stored = this.accumulator !== undefined;
    this.weight = CELL_OVERHEAD;
    if (this.accumulator !== undefined) {
      const bytes = encodeAll(this.coder, [this.accumulator]);
      this.weight += BYTES_PER_ENCODED_BYTE * bytes.length;
      requests.push(client.append(key, bytes));
    }
    return requests;
  }
}

/**
 * Declares a state that combines what is added to it.
 * @param combineFn for example a sum; its accumulators may be merged in any order
 * @param accumulatorCoder coder of its accumulators; `undefined` is not an accumulator
 */
export function combiningState<I, A, O>(
  combineFn: CombineFn<I, A, O>,
  accumulatorCoder: Coder<A>,
): StateDeclaration<CombiningState<I, A, O>> {
  return { coder: accumulatorCoder, createCell: () => new CombiningState(combineFn, accumulatorCoder) };
}
