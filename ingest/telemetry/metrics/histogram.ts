import type { Histogram, Metric, Registry } from "prom-client";

interface Series<Label extends string> {
  readonly labels: Readonly<Record<Label, string>>;
  /** Number of values per bucket; the last one counts values above all bounds. */
  readonly counts: number[];
  sum: number;
}

/** One series of a {@link CountingHistogram}. */
export interface Observer {
  observe(value: number): void;
}

export interface HistogramOptions<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly Label[];
  /** Upper bounds, ascending. */
  readonly buckets: readonly number[];
}

/**
 * A Prometheus histogram. Observing a value only adds to two numbers, while prom-client's own histogram takes a third of
 * a microsecond. A registry of prom-client collects it like any other metric.
 */
export class CountingHistogram<Label extends string = never> implements Pick<Histogram<Label>, "get"> {
  readonly name: string;
  private readonly all = new Map<string, Series<Label>>();

  constructor(
    registry: Registry,
    private readonly options: HistogramOptions<Label>,
  ) {
    this.name = options.name;
    registry.registerMetric(this as unknown as Metric);
  }

  /** The series with these labels. Callers should keep it. */
  series(labels: Readonly<Record<Label, string>>): Observer {
    const { buckets } = this.options;
    const id = JSON.stringify(Object.values(labels));
    const series = this.all.get(id) ?? { labels, counts: Array<number>(buckets.length + 1).fill(0), sum: 0 };
    this.all.set(id, series);
    const { counts } = series;
    return {
      observe(value) {
        let i = 0;
        while (i < buckets.length && value > (buckets[i] as number)) i++;
        counts[i] = (counts[i] as number) + 1;
        series.sum += value;
      },
    };
  }

  /** Called by the registry. */
  async get(): ReturnType<Histogram<Label>["get"]> {
    const { name, help, buckets } = this.options;
    const values = [...this.all.values()].flatMap(({ labels, counts, sum }) => {
      let total = 0;
      const cumulative = counts.map((count, i) => ({
        labels: { le: buckets[i] ?? "+Inf", ...labels },
        value: (total += count),
        metricName: `${name}_bucket`,
      }));
      return [
        ...cumulative,
        { labels, value: sum, metricName: `${name}_sum` },
        { labels, value: total, metricName: `${name}_count` },
      ];
    });
    const described = { name, help, type: "histogram", aggregator: "sum", values };
    return described as unknown as Awaited<ReturnType<Histogram<Label>["get"]>>;
  }
}
