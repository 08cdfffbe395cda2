import { Gauge, Registry, collectDefaultMetrics } from "prom-client";
import { EventMetrics } from "./eventMetrics";
import { CountingHistogram, type Observer } from "./histogram";
import { DURATION_BUCKETS, RequestMetrics } from "./requestMetrics";

/** How a publish ended. */
export type PublishOutcome = "acknowledged" | "refused" | "timeout";

/** Everything a replica tells Prometheus. */
export class Metrics {
  private readonly registry = new Registry();
  readonly requests = new RequestMetrics(this.registry);
  readonly events = new EventMetrics(this.registry);
  private readonly publishDuration: Readonly<Record<PublishOutcome, Observer>>;

  constructor() {
    const publishes = new CountingHistogram(this.registry, {
      name: "ingest_publish_duration_seconds",
      help: "How long Pub/Sub took for the events of one request, by how it ended",
      labelNames: ["outcome"],
      buckets: DURATION_BUCKETS,
    });
    this.publishDuration = {
      acknowledged: publishes.series({ outcome: "acknowledged" }),
      refused: publishes.series({ outcome: "refused" }),
      timeout: publishes.series({ outcome: "timeout" }),
    };
  }

  /** The events of a request have been published, or not. */
  published(outcome: PublishOutcome, ms: number): void {
    this.publishDuration[outcome].observe(ms / 1000);
  }

  /** Adds a value that is asked for when the metrics are. */
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

  /** Adds what prom-client tells of the process; once in a process, as it observes all of it. */
  addProcess(): void {
    collectDefaultMetrics({ register: this.registry });
  }

  /** Of {@link text}. */
  get contentType(): string {
    return this.registry.contentType;
  }

  /** All metrics as Prometheus reads them. */
  text(): Promise<string> {
    return this.registry.metrics();
  }
}
