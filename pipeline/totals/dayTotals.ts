import "@eventlogger/beam/sdk";
import type { PCollection } from "apache-beam";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import type { PTransform } from "apache-beam/transforms/transform";
import type { KV } from "apache-beam/values";
import { count, statefulParDo, textKvCoder, valueState } from "@eventlogger/beam";
import type { CellsOf, StateDeclaration, StatefulDoFn, ValueCell } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import { addToTotals, newVersion, type DayTotals as Totals, type DayVersion } from "@eventlogger/events/totals/totals";
import { dayTotalsCoder, decodeDelta } from "./encoding";
import { VersionNumbers } from "./versionNumbers";

type States = { totals: StateDeclaration<ValueCell<Totals>> };

/** Of the whole process: bundles of a job and, after a restore, bundles of its next attempt write versions of one day. */
let versionNumbers: VersionNumbers | undefined;

/** Keeps the totals of each day and emits one new version of them per day and bundle. */
export class DayTotals implements StatefulDoFn<string, DayVersion, States> {
  /**
   * @param generation the generation that the totals belong to
   * @param versionFloor every version is higher; the workers of Flink get one of their own (versionNumbers.ts)
   */
  constructor(
    private readonly generation: number,
    private readonly versionFloor = 0,
  ) {}

  states(): States {
    return { totals: valueState(dayTotalsCoder) };
  }

  process(key: string, value: string, { totals }: CellsOf<States>): void {
    totals.write(addToTotals(totals.read(), decodeDelta({ key, value })));
  }

  *finishKey(_key: string, { totals }: CellsOf<States>): Iterable<DayVersion> {
    const known = totals.read();
    if (!known) return;
    versionNumbers ??= new VersionNumbers();
    const version = versionNumbers.next(known.day, known.version, this.versionFloor);
    totals.write({ ...known, version });
    count("rollupVersions");
    yield newVersion(known, { generation: this.generation, version, updatedAt: Date.now() });
  }
}

/**
 * Adds deltas, keyed by day, to the totals of their days. The output are the new versions of these totals.
 * @param generation the generation that the totals belong to
 * @param versionFloor every version is higher
 */
export function totalDays(
  generation: number,
  versionFloor = 0,
): PTransform<PCollection<KV<string, string>>, PCollection<DayVersion>> {
  return statefulParDo("DayTotals", new DayTotals(generation, versionFloor), {
    input: textKvCoder,
    output: new GeneralObjectCoder<DayVersion>(),
  });
}

registerModule(module);
