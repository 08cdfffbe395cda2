import type { Registry } from "prom-client";
import type { ErrorCode } from "../../http/errors";
import { CountingHistogram, type Observer } from "./histogram";
import { Tally } from "./tally";

/** From a millisecond to more than the publish timeout, s. */
export const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15];

/** Methods with their own series. Clients may send any method, which must not create new series. */
const METHODS = ["GET", "HEAD", "POST", "OPTIONS"];
const OTHER = "other";

interface Series {
  readonly duration: Observer;
  /** By status. */
  readonly counts: Map<number, { value: number }>;
}

/** Counts requests and answers. Labels have few values: methods, routes, statuses and error codes. */
export class RequestMetrics {
  private readonly total: Tally<"method" | "route" | "code">;
  private readonly refusals: Tally<"reason">;
  private readonly unreadable: Tally<"code">;
  private readonly duration: CountingHistogram<"method" | "route">;
  private readonly others = new Map<string, Series>();
  /** By method, then by route. */
  private readonly series = new Map(METHODS.map((method) => [method, new Map<string, Series>()]));

  constructor(registry: Registry) {
    this.total = new Tally(registry, {
      name: "ingest_http_requests_total",
      help: "Requests by method, route and status code",
      labelNames: ["method", "route", "code"],
    });
    this.refusals = new Tally(registry, {
      name: "ingest_http_refusals_total",
      help: "Requests answered with an error, by error code",
      labelNames: ["reason"],
    });
    this.unreadable = new Tally(registry, {
      name: "ingest_http_unreadable_total",
      help: "Requests that were not valid HTTP or arrived too slowly, by the status of the answer",
      labelNames: ["code"],
    });
    this.duration = new CountingHistogram(registry, {
      name: "ingest_http_request_duration_seconds",
      help: "Time from the headers of a request to its answer",
      labelNames: ["method", "route"],
      buckets: DURATION_BUCKETS,
    });
  }

  /** Records an answered request. @param route the pattern, never the path that the client sent */
  answered(method: string, route: string, status: number, ms: number): void {
    const routes = this.series.get(method);
    const label = routes ? method : OTHER;
    const { counts, duration } = this.of(routes ?? this.others, label, route);
    let count = counts.get(status);
    if (!count) {
      counts.set(status, (count = this.total.entry({ method: label, route, code: String(status) })));
    }
    count.value++;
    duration.observe(ms / 1000);
  }

  /** Records an answer with an error. */
  refused(reason: ErrorCode): void {
    this.refusals.add({ reason });
  }

  /** Records a request that was not valid HTTP. */
  unreadableRequest(status: number): void {
    this.unreadable.add({ code: String(status) });
  }

  private of(routes: Map<string, Series>, method: string, route: string): Series {
    let series = routes.get(route);
    if (!series) routes.set(route, (series = { duration: this.duration.series({ method, route }), counts: new Map() }));
    return series;
  }
}
