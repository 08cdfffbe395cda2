import type { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { GoogleApiError } from "@eventlogger/gcp/api/googleApiError";
import type { JobState } from "./jobState";

/** Where jobs are. */
export interface DataflowLocation {
  readonly project: string;
  /** Such as `europe-west1`. */
  readonly region: string;
  /** Another address of the API. @default https://dataflow.googleapis.com */
  readonly endpoint?: string | undefined;
}

/** A job, as far as this project cares. */
export interface Job {
  readonly id: string;
  readonly name: string;
  readonly state: JobState;
  /** ISO 8601. */
  readonly stateSince: string | undefined;
  /** ISO 8601. */
  readonly created: string | undefined;
  /** Job that this one has replaced in an update. */
  readonly replaces: string | undefined;
  /** Job that has replaced this one. */
  readonly replacedBy: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** `gs://` address of the pipeline proto; only of a job that was asked for by its id. */
  readonly pipelineUrl: string | undefined;
  /** Steps as the service knows them, with their kind, such as `GROUP_BY_KEY_KIND`; only of a job asked for by its id. */
  readonly transforms: readonly { readonly name: string; readonly kind: string }[];
  /** Container images of the workers; only of a job that was asked for by its id. */
  readonly images: readonly string[];
}

/** From the least important. */
export const IMPORTANCES = ["debug", "detailed", "basic", "warning", "error"] as const;
export type Importance = (typeof IMPORTANCES)[number];

/** What the service tells about a job. */
export interface JobMessage {
  readonly id: string;
  /** ISO 8601. */
  readonly time: string;
  readonly importance: Importance;
  readonly text: string;
}

interface ApiJob {
  readonly id: string;
  readonly name: string;
  readonly currentState?: string;
  readonly currentStateTime?: string;
  readonly createTime?: string;
  readonly replaceJobId?: string;
  readonly replacedByJobId?: string;
  readonly labels?: Record<string, string>;
  readonly pipelineDescription?: {
    readonly originalPipelineTransform?: readonly { readonly name?: string; readonly kind?: string }[];
  };
  readonly environment?: {
    readonly sdkPipelineOptions?: { readonly options?: { readonly pipelineUrl?: string } };
    readonly workerPools?: readonly {
      readonly sdkHarnessContainerImages?: readonly { readonly containerImage?: string }[];
    }[];
  };
}

interface ApiMessage {
  readonly id?: string;
  readonly time?: string;
  readonly messageText?: string;
  readonly messageImportance?: string;
}

function toJob(job: ApiJob): Job {
  const images = (job.environment?.workerPools ?? []).flatMap((pool) => pool.sdkHarnessContainerImages ?? []);
  return {
    id: job.id,
    name: job.name,
    state: job.currentState ?? "JOB_STATE_UNKNOWN",
    stateSince: job.currentStateTime,
    created: job.createTime,
    replaces: job.replaceJobId || undefined,
    replacedBy: job.replacedByJobId || undefined,
    labels: job.labels ?? {},
    pipelineUrl: job.environment?.sdkPipelineOptions?.options?.pipelineUrl,
    transforms: (job.pipelineDescription?.originalPipelineTransform ?? []).flatMap(({ name, kind = "UNKNOWN_KIND" }) =>
      name ? [{ name, kind }] : [],
    ),
    images: images.flatMap(({ containerImage }) => (containerImage ? [containerImage] : [])),
  };
}

/** Where a job can be looked at. */
export function consoleUrl({ project, region }: DataflowLocation, jobId: string): string {
  return `https://console.cloud.google.com/dataflow/jobs/${region}/${jobId}?project=${project}`;
}

/** The jobs of a project in a region, over Dataflow's REST API. All methods throw CredentialsError and GoogleApiError. */
export class DataflowJobs {
  private readonly url: string;

  constructor(
    private readonly api: GoogleApi,
    private readonly location: DataflowLocation,
  ) {
    const endpoint = (location.endpoint ?? "https://dataflow.googleapis.com").replace(/\/$/, "");
    const { project, region } = location;
    this.url = `${endpoint}/v1b3/projects/${encodeURIComponent(project)}/locations/${encodeURIComponent(region)}/jobs`;
  }

  /** The job of this name that has not ended, if there is one: Dataflow allows one. */
  async findActive(name: string, signal?: AbortSignal): Promise<Job | undefined> {
    const { project, region } = this.location;
    let pageToken: string | undefined;
    do {
      const page = await this.api.json<{ jobs?: ApiJob[]; nextPageToken?: string }>({
        what: `Cannot list the jobs of project ${project} in ${region}`,
        url: this.url,
        query: { filter: "ACTIVE", name, pageToken },
        signal,
      });
      // The name is a filter, too; a service that does not know it answers with all.
      const found = page.jobs?.find((job) => job.name === name);
      if (found) return toJob(found);
      pageToken = page.nextPageToken || undefined;
    } while (pageToken);
    return undefined;
  }

  /** A job with everything that is known of it; undefined when there is none with this id. */
  async get(id: string, signal?: AbortSignal): Promise<Job | undefined> {
    try {
      return toJob(
        await this.api.json<ApiJob>({
          what: `Cannot look up job ${id}`,
          url: this.jobUrl(id),
          query: { view: "JOB_VIEW_ALL" },
          signal,
        }),
      );
    } catch (error) {
      if (error instanceof GoogleApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Asks a job to finish what it has and end. */
  async drain(id: string, signal?: AbortSignal): Promise<void> {
    await this.request("drain", id, "JOB_STATE_DRAINED", signal);
  }

  /** Ends a job; what it was working on is lost. */
  async cancel(id: string, signal?: AbortSignal): Promise<void> {
    await this.request("cancel", id, "JOB_STATE_CANCELLED", signal);
  }

  /**
   * What the service tells about a job, from the oldest on.
   * @param since ISO 8601; messages of this very moment are included
   */
  async *messages(
    id: string,
    { importance, since, signal }: { importance: Importance; since?: string | undefined; signal?: AbortSignal },
  ): AsyncGenerator<JobMessage> {
    let pageToken: string | undefined;
    do {
      const page = await this.api.json<{ jobMessages?: ApiMessage[]; nextPageToken?: string }>({
        what: `Cannot read the messages of job ${id}`,
        url: `${this.jobUrl(id)}/messages`,
        query: { minimumImportance: `JOB_MESSAGE_${importance.toUpperCase()}`, startTime: since, pageToken },
        signal,
      });
      for (const message of page.jobMessages ?? []) {
        const name = message.messageImportance?.replace(/^JOB_MESSAGE_/, "").toLowerCase();
        yield {
          id: message.id ?? "",
          time: message.time ?? "",
          importance: IMPORTANCES.find((one) => one === name) ?? "basic",
          text: message.messageText ?? "",
        };
      }
      pageToken = page.nextPageToken || undefined;
    } while (pageToken);
  }

  private jobUrl(id: string): string {
    return `${this.url}/${encodeURIComponent(id)}`;
  }

  private async request(verb: string, id: string, requestedState: JobState, signal?: AbortSignal): Promise<void> {
    // Without an update mask: the service refuses a mask together with a state.
    await this.api.json({
      what: `Cannot ${verb} job ${id}`,
      url: this.jobUrl(id),
      method: "PUT",
      body: { requestedState },
      signal,
    });
  }
}
