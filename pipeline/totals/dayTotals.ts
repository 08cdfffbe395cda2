import "@eventlogger/beam/sdk";
import type { PCollection } from "apache-beam";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import type { PTransform } from "apache-beam/transforms/transform";
import type { KV } from "apache-beam/values";
import { count, statefulParDo, textKvCoder, valueState } from "@eventlogger/beam";
import type { CellsOf, StateDeclaration, StatefulDoFn, ValueCell } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import { addToTotals, nextVersion, type DayTotals as Totals, type DayVersion } from "@eventlogger/events/totals/totals";
import { dayTotalsCoder, decodeDelta } from "./encoding";

type States = { totals: StateDeclaration<ValueCell<Totals>> };

/** Keeps the totals of each day and emits one new version of them per day and bundle. */
export class DayTotals implements StatefulDoFn<string, DayVersion, States> {
  states(): States {
    return { totals: valueState(dayTotalsCoder) };
  }

  process(key: string, value: string, { totals }: CellsOf<States>): void {
    totals.write(addToTotals(totals.read(), decodeDelta({ key, value })));
  }

  *finishKey(_key: string, { totals }: CellsOf<States>): Iterable<DayVersion> {
    const known = totals.read();
    if (!known) return;
    const next = nextVersion(known, Date.now());
    totals.write({ ...known, version: next.version });
    count("rollupVersions");
    yield next;
  }
}

/** Adds deltas, keyed by day, to the totals of their days. The output are the new versions of these totals. */
export function totalDays(): PTransform<PCollection<KV<string, string>>, PCollection<DayVersion>> {
  return statefulParDo("DayTotals", new DayTotals(), {
    input: textKvCoder,
    output: new GeneralObjectCoder<DayVersion>(),
  });
}

registerModule(module);
