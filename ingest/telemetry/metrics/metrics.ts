import { Counter, Gauge, Registry, collectDefaultMetrics } from "prom-client";
import { EventMetrics } from "./eventMetrics";
import { CountingHistogram, type Observer } from "./histogram";
import { DURATION_BUCKETS, RequestMetrics } from "./requestMetrics";

/** Result of a publish. */
export type PublishOutcome = "acknowledged" | "refused" | "timeout";

/** All metrics of a replica. */
export class Metrics {
  private readonly registry = new Registry();
  readonly requests = new RequestMetrics(this.registry);
  readonly events = new EventMetrics(this.registry);
  private readonly publishDuration: Readonly<Record<PublishOutcome, Observer>>;

  constructor() {
    const publishes = new CountingHistogram(this.registry, {
      name: "ingest_publish_duration_seconds",
      help: "Time that Pub/Sub took for the events of one request, by outcome",
      labelNames: ["outcome"],
      buckets: DURATION_BUCKETS,
    });
    this.publishDuration = {
      acknowledged: publishes.series({ outcome: "acknowledged" }),
      refused: publishes.series({ outcome: "refused" }),
      timeout: publishes.series({ outcome: "timeout" }),
    };
  }

  /** Records the outcome and the duration (ms) of the publishes of a request. */
  published(outcome: PublishOutcome, ms: number): void {
    this.publishDuration[outcome].observe(ms / 1000);
  }

  /** Adds a gauge that is read when the metrics are collected. */
  gauge(name: string, help: string, read: () => number | Promise<number>): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      async collect() {
        this.set(await read());
      },
    });
  }

  /** Adds a counter without labels. @returns a function that counts one */
  counter(name: string, help: string): () => void {
    const counter = new Counter({ name, help, registers: [this.registry] });
    return () => counter.inc();
  }

  /** Adds the process metrics of prom-client. Call it once per process. */
  addProcess(): void {
    collectDefaultMetrics({ register: this.registry });
  }

  /** Media type of {@link text}. */
  get contentType(): string {
    return this.registry.contentType;
  }

  /** All metrics in the Prometheus text format. */
  text(): Promise<string> {
    return this.registry.metrics();
  }
}
