import "@eventlogger/beam/sdk";
import { withName, type PCollection } from "apache-beam";
import type { PTransform } from "apache-beam/transforms/transform";
import type { KV } from "apache-beam/values";
import { bundleParDo, pipe, textKvCoder, withKvCoder, type BundleDoFn, type EmitTimestamped } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import { sumDeltas, type DayDelta } from "@eventlogger/events/totals/totals";
import { encodeDelta } from "./encoding";

/** Deltas that are collected before they are summed; limits the memory of a large bundle. */
const MAX_DELTAS = 10_000;

/** Sums the deltas of a bundle, so that a day gets one element per bundle, however many sessions or users changed. */
export class SumDeltas implements BundleDoFn<DayDelta, KV<string, string>> {
  private deltas: DayDelta[] = [];

  startBundle(): void {
    this.deltas = [];
  }
  process(delta: DayDelta): void {
    this.deltas.push(delta);
    if (this.deltas.length >= MAX_DELTAS) this.deltas = sumDeltas(this.deltas);
  }
  finishBundle(emit: EmitTimestamped<KV<string, string>>): void {
    const now = Date.now();
    for (const delta of sumDeltas(this.deltas)) emit(encodeDelta(delta), now);
    this.deltas = [];
  }
}

/** Sums deltas by day, within each bundle. The output is keyed by day. */
export function sumByDay(name: string): PTransform<PCollection<DayDelta>, PCollection<KV<string, string>>> {
  return withName(name, (deltas: PCollection<DayDelta>) =>
    pipe(deltas, bundleParDo("SumDeltas", new SumDeltas(), textKvCoder), withKvCoder("ByDay", textKvCoder)),
  );
}

registerModule(module);
