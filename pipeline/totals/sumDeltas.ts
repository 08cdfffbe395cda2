import "@eventlogger/beam/sdk";
import { withName, type PCollection } from "apache-beam";
import type { PTransform } from "apache-beam/transforms/transform";
import type { KV } from "apache-beam/values";
import { bundleParDo, pipe, textKvCoder, withKvCoder, type BundleDoFn, type EmitTimestamped } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import { DaySums, type DayDelta } from "@eventlogger/events/totals/totals";
import { encodeDelta } from "./encoding";

/** Sums the deltas of a bundle, so that a day gets one element per bundle, however many sessions changed. */
export class SumDeltas implements BundleDoFn<DayDelta, KV<string, string>> {
  private sums: DaySums | undefined;

  startBundle(): void {
    this.sums = new DaySums();
  }
  process(delta: DayDelta): void {
    this.sums?.add(delta);
  }
  finishBundle(emit: EmitTimestamped<KV<string, string>>): void {
    const now = Date.now();
    for (const delta of this.sums?.drain() ?? []) emit(encodeDelta(delta), now);
  }
}

/** Sums deltas by day, within each bundle. The output is keyed by day. */
export function sumByDay(name: string): PTransform<PCollection<DayDelta>, PCollection<KV<string, string>>> {
  return withName(name, (deltas: PCollection<DayDelta>) =>
    pipe(deltas, bundleParDo("SumDeltas", new SumDeltas(), textKvCoder), withKvCoder("ByDay", textKvCoder)),
  );
}

registerModule(module);
