import type { Cell, StateDeclaration } from "@eventlogger/beam/state/cells";
import type { StateClient } from "@eventlogger/beam/state/stateChannel";
import type { CellsOf, StatefulDoFn } from "@eventlogger/beam";
import { VarintWriter } from "@eventlogger/events/varints";
import type { KV } from "apache-beam/values";

/** The stored state of one cell, as a runner keeps it: bytes that are appended and cleared. */
export class StoredState {
  bytes: Uint8Array = new Uint8Array();
  clears = 0;

  /** Saves what changed in a cell. */
  async save(cell: Cell): Promise<void> {
    await Promise.all(cell.save(this.client, { type: { oneofKind: undefined } }));
  }

  private readonly client = {
    append: (_key: unknown, data: Uint8Array) => {
      this.bytes = Buffer.concat([this.bytes, data]);
      return Promise.resolve();
    },
    clear: () => {
      this.clears++;
      this.bytes = new Uint8Array();
      return Promise.resolve();
    },
  } as unknown as StateClient;
}

/** Records as a runner stores the elements of a bag: each after its length. */
export function storedRecords(...records: (string | Uint8Array)[]): Uint8Array {
  const writer = new VarintWriter();
  for (const record of records) {
    const bytes = Buffer.from(record);
    writer.unsigned(bytes.length).bytes(bytes);
  }
  return Buffer.from(writer.finish());
}

/** A cell with the stored state, as a worker creates it. */
export function loadCell<C extends Cell>(declaration: StateDeclaration<C>, bytes: Uint8Array): C {
  const cell = declaration.createCell();
  cell.load(bytes);
  return cell;
}

/**
 * Runs a stateful DoFn bundle by bundle. Each bundle loads its state from bytes and stores it again, as if another worker
 * ran it.
 */
export class StatefulRun<V, O, D extends Readonly<Record<string, StateDeclaration<Cell>>>> {
  private readonly stored = new Map<string, Map<string, StoredState>>();

  constructor(private readonly doFn: StatefulDoFn<V, O, D>) {}

  async bundle(elements: readonly KV<string, V>[]): Promise<O[]> {
    const output: O[] = [];
    const cellsByKey = new Map<string, CellsOf<D>>();
    for (const { key, value } of elements) {
      const cells = cellsByKey.get(key) ?? this.load(key);
      cellsByKey.set(key, cells);
      output.push(...(this.doFn.process(key, value, cells) ?? []));
    }
    for (const [key, cells] of cellsByKey) {
      output.push(...(this.doFn.finishKey?.(key, cells) ?? []));
      for (const [name, cell] of Object.entries<Cell>(cells)) await this.storedOf(key, name).save(cell);
    }
    return output;
  }

  private load(key: string): CellsOf<D> {
    const cells = Object.entries(this.doFn.states()).map(([name, declaration]) => [
      name,
      loadCell(declaration, this.storedOf(key, name).bytes),
    ]);
    return Object.fromEntries(cells) as CellsOf<D>;
  }

  private storedOf(key: string, name: string): StoredState {
    const ofKey = this.stored.get(key) ?? new Map<string, StoredState>();
    this.stored.set(key, ofKey);
    const stored = ofKey.get(name) ?? new StoredState();
    ofKey.set(name, stored);
    return stored;
  }
}
