import { googleError, type FakeAnswer, type FakeRequest, type FakeService } from "./fakeServer";

/** A sample of a gauge. `time`: epoch milliseconds. */
export interface FakeSample {
  readonly time: number;
  readonly value: number;
}

/** The part of Cloud Monitoring's API v3 that this project uses: `timeSeries.list` of gauges. */
export class FakeMonitoring {
  /**
   * The samples of a metric with these labels, or undefined for an unknown time series. Called at each request.
   * @param to end of the requested interval; epoch milliseconds
   */
  read: (metric: string, labels: ReadonlyMap<string, string>, to: number) => readonly FakeSample[] | undefined = () =>
    undefined;
  /** Samples per response, so that lists have several pages. */
  pageSize = 2;

  constructor(private readonly project: string) {}

  reset(): void {
    this.read = () => undefined;
  }

  readonly service: FakeService = ({ method, path, query }: FakeRequest) => {
    const project = /^\/v3\/projects\/([^/]+)\/timeSeries$/.exec(path)?.[1];
    if (project === undefined || method !== "GET") return undefined;
    if (project !== this.project) {
      return googleError(403, `Permission monitoring.timeSeries.list denied on resource projects/${project}.`);
    }
    return this.list(query);
  };

  private list(query: URLSearchParams): FakeAnswer {
    const conditions = (query.get("filter") ?? "").split(" AND ");
    const parsed = conditions.map((one) => /^([\w.]+) = "([^"]*)"$/.exec(one));
    if (parsed.some((one) => one === null))
      return googleError(400, `The provided filter is not valid: ${conditions.join()}`);
    const labels = new Map(parsed.map((one) => [one?.[1] ?? "", one?.[2] ?? ""]));
    const metric = labels.get("metric.type");
    const [from, to] = ["startTime", "endTime"].map((name) => Date.parse(query.get(`interval.${name}`) ?? ""));
    // As in the service, the end is required.
    if (metric === undefined || Number.isNaN(to ?? NaN)) return googleError(400, "Field interval.endTime is required");
    labels.delete("metric.type");
    const samples = (this.read(metric, labels, to ?? 0) ?? [])
      .filter(({ time }) => time > (from ?? 0) && time <= (to ?? 0))
      .sort((a, b) => b.time - a.time);
    const start = Number(query.get("pageToken") ?? 0);
    const page = samples.slice(start, start + this.pageSize);
    const points = page.map(({ time, value }) => {
      const at = new Date(time).toISOString();
      return { interval: { startTime: at, endTime: at }, value: { int64Value: String(value) } };
    });
    const next = start + this.pageSize;
    return {
      status: 200,
      body: {
        ...(points.length && {
          timeSeries: [{ metric: { type: metric }, metricKind: "GAUGE", valueType: "INT64", points }],
        }),
        ...(next < samples.length && { nextPageToken: String(next) }),
      },
    };
  }
}
