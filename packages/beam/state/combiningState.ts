import "../sdk";
import type { StateKey } from "apache-beam/proto/beam_fn_api";
import type { Coder } from "apache-beam/coders/coders";
import type { CombineFn } from "apache-beam/transforms/group_and_combine";
import { ValueState, type Cell, type StateDeclaration } from "./cells";
import type { StateClient } from "./stateChannel";

/** CombiningState of the Beam model: combines what is added, and stores the accumulator. */
export class CombiningState<I, A, O> implements Cell {
  private readonly accumulator: ValueState<A>;

  constructor(
    private readonly combineFn: CombineFn<I, A, O>,
    coder: Coder<A>,
  ) {
    // Runners that compact states themselves may have stored several accumulators.
    this.accumulator = new ValueState(coder, (stored) =>
      stored.length > 1 ? combineFn.mergeAccumulators(stored) : stored[0],
    );
  }

  private current(): A {
    return this.accumulator.read() ?? this.combineFn.createAccumulator();
  }
  /** The combined value; that of no elements when nothing was added. */
  read(): O {
    return this.combineFn.extractOutput(this.current());
  }
  add(value: I): void {
    this.accumulator.write(this.combineFn.addInput(this.current(), value));
  }
  /** Whether nothing was added since the state was created or cleared. */
  isEmpty(): boolean {
    return this.accumulator.read() === undefined;
  }
  clear(): void {
    this.accumulator.clear();
  }
  load(bytes: Uint8Array): void {
    this.accumulator.load(bytes);
  }
  save(client: StateClient, key: StateKey): Promise<void>[] {
    return this.accumulator.save(client, key);
  }
  get weight(): number {
    return this.accumulator.weight;
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
