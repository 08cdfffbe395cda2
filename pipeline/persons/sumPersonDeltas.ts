import "@eventlogger/beam/sdk";
import { withName, type PCollection } from "apache-beam";
import type { PTransform } from "apache-beam/transforms/transform";
import type { KV } from "apache-beam/values";
import { applyDoFn, pipe, textKvCoder, withKvCoder, type DoFn, type FinishBundleContext } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import type { PersonDeltas } from "@eventlogger/events/persons/personDeltas";
import { RetentionSums } from "@eventlogger/events/totals/retention";
import { DaySums } from "@eventlogger/events/totals/totals";
import { encodeDelta } from "../totals/encoding";
import { encodeCohortDeltas } from "../totals/retentionEncoding";

type Deltas = KV<string, string>;

const declarations = { outputs: { weeks: textKvCoder } };
type Declarations = typeof declarations;

/** Sums the changes of the persons of a bundle, so that a day and a cohort get one element per bundle, however many persons changed. */
export class SumPersonDeltas implements DoFn<PersonDeltas, Deltas, Declarations> {
  private days: DaySums | undefined;
  private weeks: RetentionSums | undefined;

  declare(): Declarations {
    return declarations;
  }

  startBundle(): void {
    this.days = new DaySums();
    this.weeks = new RetentionSums();
  }

  process({ days, weeks }: PersonDeltas): void {
    for (const delta of days) this.days?.add(delta);
    for (const delta of weeks) this.weeks?.add(delta);
  }

  finishBundle(context: FinishBundleContext<Deltas, Declarations>): void {
    const now = { timestampMs: Date.now() };
    for (const delta of this.days?.drain() ?? []) context.output(encodeDelta(delta), now);
    for (const deltas of this.weeks?.drain() ?? []) context.outputTo("weeks", encodeCohortDeltas(deltas), now);
  }
}

/** Changes of the counts by persons: keyed by day, and keyed by cohort week. */
export type PersonSums = {
  readonly days: PCollection<Deltas>;
  readonly weeks: PCollection<Deltas>;
};

/** Sums the changes of persons by day and by cohort, within each bundle. */
export function sumPersonDeltas(name: string): PTransform<PCollection<PersonDeltas>, PersonSums> {
  return withName(name, (deltas: PCollection<PersonDeltas>) => {
    const { main, weeks } = pipe(deltas, applyDoFn("SumDeltas", new SumPersonDeltas(), { output: textKvCoder }));
    return {
      days: pipe(main, withKvCoder("ByDay", textKvCoder)),
      weeks: pipe(weeks, withKvCoder("ByWeek", textKvCoder)),
    };
  });
}

registerModule(module);
