import type { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { GoogleApiError } from "@eventlogger/gcp/api/googleApiError";
import type { JobState } from "./jobState";

/** Project and region of jobs. */
export interface DataflowLocation {
  readonly project: string;
  /** Such as `europe-west1`. */
  readonly region: string;
  /** URL of the API. @default https://dataflow.googleapis.com */
  readonly endpoint?: string | undefined;
}

/** The properties of a job that this project uses. */
export interface Job {
  readonly id: string;
  readonly name: string;
  readonly state: JobState;
  /** ISO 8601. */
  readonly stateSince: string | undefined;
  /** ISO 8601. */
  readonly created: string | undefined;
  /** Id of the job that this job replaced in an update. */
  readonly replaces: string | undefined;
  /** Id of the job that replaced this job. */
  readonly replacedBy: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** `gs://` URL of the pipeline proto; only in the result of {@link DataflowJobs.get}. */
  readonly pipelineUrl: string | undefined;
  /** Steps with their kinds, such as `GROUP_BY_KEY_KIND`; only in the result of {@link DataflowJobs.get}. */
  readonly transforms: readonly { readonly name: string; readonly kind: string }[];
  /** Container images of the workers; only in the result of {@link DataflowJobs.get}. */
  readonly images: readonly string[];
}

/** In ascending order of importance. */
export const IMPORTANCES = ["debug", "detailed", "basic", "warning", "error"] as const;
export type Importance = (typeof IMPORTANCES)[number];

/** A message of the service about a job. */
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

/** The page of a job in the Google Cloud console. */
export function consoleUrl({ project, region }: DataflowLocation, jobId: string): string {
  return `https://console.cloud.google.com/dataflow/jobs/${region}/${jobId}?project=${project}`;
}

/** Client of Dataflow's REST API for the jobs of a region. All methods throw CredentialsError and GoogleApiError. */
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

  /** Finds the active job of a name; undefined when no job is active. Dataflow allows one active job per name. */
  async findActive(name: string, signal?: AbortSignal): Promise<Job | undefined> {
    for await (const job of this.list(name, "ACTIVE", signal)) return job;
    return undefined;
  }

  /**
   * Finds the newest job of a name, active or not; undefined when no job has it.
   * @param createdSince epoch milliseconds; older jobs do not count
   */
  async findNewest(name: string, createdSince: number, signal?: AbortSignal): Promise<Job | undefined> {
    let newest: Job | undefined;
    const createdAt = ({ created }: Job): number => Date.parse(created ?? "");
    for await (const job of this.list(name, "ALL", signal)) {
      if (createdAt(job) >= createdSince && (!newest || createdAt(job) > createdAt(newest))) newest = job;
    }
    return newest;
  }

  private async *list(name: string, filter: "ACTIVE" | "ALL", signal?: AbortSignal): AsyncGenerator<Job> {
    const { project, region } = this.location;
    let pageToken: string | undefined;
    do {
      const page = await this.api.json<{ jobs?: ApiJob[]; nextPageToken?: string }>({
        what: `Cannot list the jobs of project ${project} in ${region}`,
        url: this.url,
        query: { filter, name, pageToken },
        signal,
      });
      // The service may ignore the name filter, so filter the result too.
      for (const job of page.jobs ?? []) if (job.name === name) yield toJob(job);
      pageToken = page.nextPageToken || undefined;
    } while (pageToken);
  }

  /** Looks up a job with all its properties; undefined when no job has this id. */
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

  /** Requests a drain: the job finishes the data that it has read, then ends. */
  async drain(id: string, signal?: AbortSignal): Promise<void> {
    await this.request("drain", id, "JOB_STATE_DRAINED", signal);
  }

  /** Requests cancellation: the job ends at once, and data in flight is lost. */
  async cancel(id: string, signal?: AbortSignal): Promise<void> {
    await this.request("cancel", id, "JOB_STATE_CANCELLED", signal);
  }

  /**
   * Lists the messages of the service about a job, oldest first.
   * @param since ISO 8601, inclusive
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
    // Without an update mask: the service rejects a request with both a mask and a state.
    await this.api.json({
      what: `Cannot ${verb} job ${id}`,
      url: this.jobUrl(id),
      method: "PUT",
      body: { requestedState },
      signal,
    });
  }
}
