import "@eventlogger/beam/sdk";
import type { PCollection } from "apache-beam";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import type { PTransform } from "apache-beam/transforms/transform";
import type { KV } from "apache-beam/values";
import { count, statefulParDo, textKvCoder, valueState } from "@eventlogger/beam";
import type { CellsOf, StateDeclaration, StatefulDoFn, ValueCell } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import { addToCohort, type RetentionVersion } from "@eventlogger/events/totals/retention";
import { cohortCoder, decodeCohortDeltas, type ChangedCohort } from "./retentionEncoding";
import { VersionNumbers } from "./versionNumbers";

type States = { cohort: StateDeclaration<ValueCell<ChangedCohort>> };

/** Of the whole process, as that of `DayTotals`. */
let versionNumbers: VersionNumbers | undefined;

/** Keeps the totals of each cohort and emits one new version of each week offset that has changed, per cohort and bundle. */
export class RetentionTotals implements StatefulDoFn<string, RetentionVersion, States> {
  /**
   * @param generation the generation that the totals belong to
   * @param versionFloor every version is higher; the workers of Flink get one of their own (versionNumbers.ts)
   */
  constructor(
    private readonly generation: number,
    private readonly versionFloor = 0,
  ) {}

  states(): States {
    return { cohort: valueState(cohortCoder) };
  }

  process(key: string, value: string, { cohort }: CellsOf<States>): void {
    const known = cohort.read();
    const deltas = decodeCohortDeltas({ key, value });
    const changed = new Set([...(known?.changed ?? []), ...deltas.map(({ weekOffset }) => weekOffset)]);
    cohort.write({ totals: addToCohort(known?.totals, Number(key), deltas), changed });
  }

  *finishKey(_key: string, { cohort }: CellsOf<States>): Iterable<RetentionVersion> {
    const known = cohort.read();
    if (!known || known.changed.size === 0) return;
    const { totals, changed } = known;
    const { cohortWeek, persons } = totals;
    versionNumbers ??= new VersionNumbers();
    const version = versionNumbers.next(cohortWeek, totals.version, this.versionFloor);
    cohort.write({ totals: { ...totals, version }, changed: new Set() });
    count("retentionVersions", changed.size);
    const { generation } = this;
    const updatedAt = Date.now();
    for (const weekOffset of changed) {
      yield { generation, cohortWeek, weekOffset, persons: persons[weekOffset] ?? 0, version, updatedAt };
    }
  }
}

/**
 * Adds deltas, keyed by cohort week, to the totals of their cohorts. The output are the new versions of these totals.
 * @param generation the generation that the totals belong to
 * @param versionFloor every version is higher
 */
export function totalCohorts(
  generation: number,
  versionFloor = 0,
): PTransform<PCollection<KV<string, string>>, PCollection<RetentionVersion>> {
  return statefulParDo("RetentionTotals", new RetentionTotals(generation, versionFloor), {
    input: textKvCoder,
    output: new GeneralObjectCoder<RetentionVersion>(),
  });
}

registerModule(module);
