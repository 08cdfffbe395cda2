import type { GoogleApi } from "../api/googleApi";

/** One sample of a metric. */
export interface Sample {
  /** Epoch milliseconds. */
  readonly time: number;
  readonly value: number;
}

interface ApiPoint {
  readonly interval?: { readonly endTime?: string };
  readonly value?: { readonly int64Value?: string; readonly doubleValue?: number };
}

interface ApiPage {
  readonly timeSeries?: readonly { readonly points?: readonly ApiPoint[] }[];
  readonly nextPageToken?: string;
}

export interface MonitoringLocation {
  readonly project: string;
  /** URL of the API. @default https://monitoring.googleapis.com */
  readonly endpoint?: string | undefined;
}

function toSample({ interval, value }: ApiPoint): Sample[] {
  const time = Date.parse(interval?.endTime ?? "");
  const number = Number(value?.int64Value ?? value?.doubleValue ?? NaN);
  return Number.isNaN(time) || Number.isNaN(number) ? [] : [{ time, value: number }];
}

/** A value in a filter: https://cloud.google.com/monitoring/api/v3/filters */
const quoted = (text: string): string => JSON.stringify(text);

/**
 * Client of Cloud Monitoring for gauges (https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.timeSeries/list). All methods
 * throw CredentialsError and GoogleApiError.
 */
export class TimeSeries {
  private readonly url: string;

  constructor(
    private readonly api: GoogleApi,
    { project, endpoint = "https://monitoring.googleapis.com" }: MonitoringLocation,
  ) {
    this.url = `${endpoint.replace(/\/$/, "")}/v3/projects/${encodeURIComponent(project)}/timeSeries`;
  }

  /**
   * The samples of a gauge, newest first. Google samples most gauges every minute, and shows them some minutes later.
   * @param metric such as `pubsub.googleapis.com/subscription/oldest_unacked_message_age`
   * @param labels labels of the metric or its resource, such as `resource.labels.subscription_id`
   * @param interval epoch milliseconds
   */
  async samples(
    metric: string,
    labels: Readonly<Record<string, string>>,
    interval: { readonly from: number; readonly to: number },
    signal?: AbortSignal,
  ): Promise<Sample[]> {
    const conditions = [["metric.type", metric], ...Object.entries(labels)];
    const samples: Sample[] = [];
    let pageToken: string | undefined;
    do {
      const page = await this.api.json<ApiPage>({
        what: `Cannot read the metric ${metric}`,
        url: this.url,
        query: {
          filter: conditions.map(([name, value]) => `${name} = ${quoted(value ?? "")}`).join(" AND "),
          "interval.startTime": new Date(interval.from).toISOString(),
          "interval.endTime": new Date(interval.to).toISOString(),
          pageToken,
        },
        signal,
      });
      samples.push(...(page.timeSeries ?? []).flatMap(({ points = [] }) => points.flatMap(toSample)));
      pageToken = page.nextPageToken || undefined;
    } while (pageToken !== undefined);
    return samples.sort((a, b) => b.time - a.time);
  }
}
