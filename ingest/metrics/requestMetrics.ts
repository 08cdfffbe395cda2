import { Histogram, type Registry } from "prom-client";
import type { ErrorCode } from "../errors";
import { Tally } from "./tally";

/** From a millisecond to more than a publish may take, s. */
export const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15];

/** Methods of their own in metrics: whatever a client writes there must not make a new series. */
const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "OPTIONS"]);
const OTHER = "other";

interface Series {
  readonly duration: { observe(seconds: number): void };
  /** By status. */
  readonly counts: Map<number, { value: number }>;
}

/** Counts what is asked and how it is answered. Labels have few values: methods, routes, statuses, codes of errors. */
export class RequestMetrics {
  private readonly total: Tally<"method" | "route" | "code">;
  private readonly refusals: Tally<"reason">;
  private readonly unreadable: Tally<"code">;
  private readonly duration: Histogram<"method" | "route">;
  /** By method, then by route. */
  private readonly series = new Map<string, Map<string, Series>>();

  constructor(registry: Registry) {
    this.total = new Tally(registry, {
      name: "ingest_http_requests_total",
      help: "Requests by method, route and status code",
      labelNames: ["method", "route", "code"],
    });
    this.refusals = new Tally(registry, {
      name: "ingest_http_refusals_total",
      help: "Requests answered with an error, by the code of the error",
      labelNames: ["reason"],
    });
    this.unreadable = new Tally(registry, {
      name: "ingest_http_unreadable_total",
      help: "What came over a connection and was no HTTP, or came too slowly, by the status of the answer",
      labelNames: ["code"],
    });
    this.duration = new Histogram({
      name: "ingest_http_request_duration_seconds",
      help: "From the headers of a request to its answer",
      labelNames: ["method", "route"],
      buckets: DURATION_BUCKETS,
      registers: [registry],
    });
  }

  /** A request has been answered. @param route a pattern, never what a client wrote */
  answered(method: string, route: string, status: number, ms: number): void {
    const { counts, duration } = this.of(METHODS.has(method) ? method : OTHER, route);
    let count = counts.get(status);
    if (!count) {
      const known = METHODS.has(method) ? method : OTHER;
      counts.set(status, (count = this.total.entry({ method: known, route, code: String(status) })));
    }
    count.value++;
    duration.observe(ms / 1000);
  }

  /** A request was answered with an error. */
  refused(reason: ErrorCode): void {
    this.refusals.add({ reason });
  }

  /** What came was no request. */
  unreadableRequest(status: number): void {
    this.unreadable.add({ code: String(status) });
  }

  private of(method: string, route: string): Series {
    let routes = this.series.get(method);
    if (!routes) this.series.set(method, (routes = new Map<string, Series>()));
    let series = routes.get(route);
    if (!series) routes.set(route, (series = { duration: this.duration.labels(method, route), counts: new Map() }));
    return series;
  }
}
