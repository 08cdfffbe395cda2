import "@eventlogger/beam/sdk";
import type { Residual, ProcessContext, SplittableDoFn } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";

/** Emits rows for an impulse. */
export class EmitRows<Row> {
  constructor(private readonly rows: readonly Row[]) {}
  process(_impulse: unknown): readonly Row[] {
    return this.rows;
  }
}

/** An unbounded source that emits rows in portions, one portion per self-checkpoint. */
export class RowSource<Row> implements SplittableDoFn<Row, { next: number }> {
  constructor(
    private readonly rows: readonly Row[],
    private readonly perSelfCheckpoint: number,
  ) {}
  restrictions(): { next: number }[] {
    return [{ next: 0 }];
  }
  async process({ next }: { next: number }, context: ProcessContext<Row>): Promise<Residual<{ next: number }>> {
    const portion = this.rows.slice(next, next + this.perSelfCheckpoint);
    const now = Date.now();
    for (const row of portion) await context.emit(row, now);
    return { restriction: { next: next + portion.length }, watermarkMs: now, resumeDelayMs: 300 };
  }
}

registerModule(module);
