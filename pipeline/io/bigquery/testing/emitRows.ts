import "@eventlogger/beam/sdk";
import type { Residual, ProcessContext, SplittableDoFn } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";

/** An impulse becomes these rows. */
export class EmitRows<Row> {
  constructor(private readonly rows: readonly Row[]) {}
  process(_impulse: unknown): readonly Row[] {
    return this.rows;
  }
}

/** A source without end: these rows, some in a slice, a moment apart. */
export class RowSource<Row> implements SplittableDoFn<Row, { next: number }> {
  constructor(
    private readonly rows: readonly Row[],
    private readonly perSlice: number,
  ) {}
  restrictions(): { next: number }[] {
    return [{ next: 0 }];
  }
  async process({ next }: { next: number }, context: ProcessContext<Row>): Promise<Residual<{ next: number }>> {
    const slice = this.rows.slice(next, next + this.perSlice);
    const now = Date.now();
    for (const row of slice) await context.emit(row, now);
    return { restriction: { next: next + slice.length }, watermarkMs: now, resumeDelayMs: 300 };
  }
}

registerModule(module);
