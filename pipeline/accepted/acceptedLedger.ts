import "@eventlogger/beam/sdk";
import {
  foldedState,
  type CellsOf,
  type FoldedCell,
  type StateDeclaration,
  type StatefulDoFn,
} from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import { AcceptedSample, type AcceptedHashes } from "@eventlogger/events/accepted/acceptedIds";
import { acceptedHashesCoder, decodeHashes } from "./encoding";

type States = { accepted: StateDeclaration<FoldedCell<AcceptedSample, AcceptedHashes>> };

/** Keeps the smallest hashes of each recent day and shard, and emits those that are new to the record. */
export class AcceptedLedger implements StatefulDoFn<Uint8Array, AcceptedHashes, States> {
  states(): States {
    return {
      accepted: foldedState<AcceptedSample, AcceptedHashes>({
        coder: acceptedHashesCoder,
        create: () => new AcceptedSample(),
        fold: (sample, change) => void sample.add(change),
        snapshot: ({ content }) => (content ? [content] : []),
        entries: ({ hashes }) => hashes.length,
        size: ({ size }) => size,
        weight: ({ size }) => Float64Array.BYTES_PER_ELEMENT * size,
      }),
    };
  }

  *process(_key: string, value: Uint8Array, { accepted }: CellsOf<States>): Iterable<AcceptedHashes> {
    const { day, hashes } = decodeHashes(value);
    const entered = accepted.state.add({ day, hashes });
    if (entered.length === 0) return;
    const change = { day, hashes: entered };
    // The sample forgets a day when a newer one has its key. Hashes of such a day are recorded without state.
    if (accepted.state.day === day) accepted.log(change);
    yield change;
  }
}

registerModule(module);
