import { Counter, type Registry } from "prom-client";

interface Entry<Label extends string> {
  readonly labels: Readonly<Record<Label, string>>;
  value: number;
}

/**
 * A Prometheus counter with labels. prom-client takes a third of a microsecond to count one: here that is adding to a
 * number, and prom-client gets it when it is asked for its metrics.
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

  /** The counter for these values; to be kept by whoever counts often. */
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
