import "@eventlogger/beam/sdk";
import type { KV } from "apache-beam/values";
import type { BundleDoFn, EmitTimestamped } from "@eventlogger/beam";
import { sumDeltas, type DayDelta } from "@eventlogger/events/totals/totals";
import { encodeDelta } from "../encoding";
import { registerModule } from "@eventlogger/beam/registerModule";

/** Sums the deltas of a bundle, so that a day gets one element however many sessions or users changed. */
export class SumDeltas implements BundleDoFn<DayDelta, KV<string, string>> {
  private deltas: DayDelta[] = [];

  startBundle(): void {
    this.deltas = [];
  }
  process(delta: DayDelta): void {
    this.deltas.push(delta);
    if (this.deltas.length >= 10_000) this.deltas = sumDeltas(this.deltas);
  }
  finishBundle(emit: EmitTimestamped<KV<string, string>>): void {
    const now = Date.now();
    for (const delta of sumDeltas(this.deltas)) emit({ key: String(delta.day), value: encodeDelta(delta) }, now);
    this.deltas = [];
  }
}

registerModule(module);
