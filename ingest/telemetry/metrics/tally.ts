import { Counter, type Registry } from "prom-client";

interface Entry<Label extends string> {
  readonly labels: Readonly<Record<Label, string>>;
  value: number;
}

/**
 * A Prometheus counter with labels. Counting only adds to a number, while prom-client's own counter takes a third of a
 * microsecond. prom-client gets the values when its metrics are collected.
 */
export class Tally<Label extends string> {
  private readonly entries = new Map<string, Entry<Label>>();

  constructor(
    registry: Registry,
    options: { readonly name: string; readonly help: string; readonly labelNames: readonly Label[] },
  ) {
    const { entries } = this;
    new Counter({
      ...options,
      registers: [registry],
      collect() {
        this.reset();
        for (const { labels, value } of entries.values()) this.inc(labels, value);
      },
    });
  }

  /** The counter for these labels. Callers that count often should keep it. */
  entry(labels: Readonly<Record<Label, string>>): { value: number } {
    const id = JSON.stringify(Object.values(labels));
    let entry = this.entries.get(id);
    if (!entry) this.entries.set(id, (entry = { labels, value: 0 }));
    return entry;
  }

  /** Adds `by` (default 1). */
  add(labels: Readonly<Record<Label, string>>, by = 1): void {
    this.entry(labels).value += by;
  }
}
