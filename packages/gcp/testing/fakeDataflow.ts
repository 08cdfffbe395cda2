import { googleError, type FakeAnswer, type FakeRequest, type FakeService } from "./fakeServer";

/** A job as the API returns it, with all fields of the request. */
export interface FakeJob {
  readonly id: string;
  readonly name: string;
  readonly createTime: string;
  currentState: string;
  currentStateTime: string;
  requestedState?: string;
  replaceJobId?: string;
  replacedByJobId?: string;
  clientRequestId?: string;
  environment?: unknown;
  [field: string]: unknown;
}

export interface FakeMessage {
  readonly id: string;
  readonly time: string;
  readonly messageText: string;
  readonly messageImportance: string;
}

const ACTIVE = [
  "JOB_STATE_PENDING",
  "JOB_STATE_QUEUED",
  "JOB_STATE_RUNNING",
  "JOB_STATE_DRAINING",
  "JOB_STATE_CANCELLING",
];
const IMPORTANCES = ["DEBUG", "DETAILED", "BASIC", "WARNING", "ERROR"].map((name) => `JOB_MESSAGE_${name}`);
const NEXT: Readonly<Record<string, string>> = {
  JOB_STATE_DRAINING: "JOB_STATE_DRAINED",
  JOB_STATE_CANCELLING: "JOB_STATE_CANCELLED",
};
const REQUESTS: Readonly<Record<string, string>> = {
  JOB_STATE_DRAINED: "JOB_STATE_DRAINING",
  JOB_STATE_DRAINING: "JOB_STATE_DRAINING",
  JOB_STATE_CANCELLED: "JOB_STATE_CANCELLING",
};

/** The part of Dataflow's API v1b3 that Beam's submitter and this project use. */
export class FakeDataflow {
  readonly jobs: FakeJob[] = [];
  readonly messages: FakeMessage[] = [];
  /** Jobs or messages per response, so that lists have several pages. */
  pageSize = 2;
  /** Number of look-ups after which a draining or cancelling job has ended. */
  lookUpsUntilEnded = 2;
  private readonly lookUps = new Map<string, number>();

  constructor(
    private readonly project: string,
    private readonly region: string,
  ) {}

  reset(): void {
    this.jobs.length = 0;
    this.messages.length = 0;
    this.lookUps.clear();
  }

  /** Adds an existing job. */
  add(job: Partial<FakeJob>): FakeJob {
    const now = new Date().toISOString();
    const number = String(this.jobs.length + 1).padStart(12, "0");
    const added: FakeJob = {
      id: `2026-01-01_00_00_00-${number}`,
      name: "job",
      type: "JOB_TYPE_STREAMING",
      currentState: "JOB_STATE_RUNNING",
      currentStateTime: now,
      createTime: now,
      ...job,
    };
    this.jobs.push(added);
    return added;
  }

  readonly service: FakeService = (request) => {
    const match = /^\/v1b3\/projects\/([^/]+)\/locations\/([^/]+)\/jobs(?:\/([^/]+))?(\/messages)?$/.exec(request.path);
    if (!match) return undefined;
    const [, project, region, id, messages] = match;
    if (project !== this.project || region !== this.region) {
      return googleError(403, `dataflow.jobs.get denied on project ${project}, location ${region}`);
    }
    if (id === undefined) return request.method === "POST" ? this.create(request) : this.list(request);
    const job = this.jobs.find((one) => one.id === id);
    if (!job) return googleError(404, `Information about job ${id} could not be found in our system.`);
    if (messages) return this.listMessages(request);
    if (request.method === "PUT") return this.update(job, request);
    this.lookUp(job);
    return { status: 200, body: request.query.get("view") === "JOB_VIEW_ALL" ? job : this.summary(job) };
  };

  private summary({ environment: _environment, ...rest }: FakeJob): Omit<FakeJob, "environment"> {
    return rest;
  }

  private lookUp(job: FakeJob): void {
    const next = NEXT[job.currentState];
    if (!next) return;
    const lookUps = (this.lookUps.get(job.id) ?? 0) + 1;
    this.lookUps.set(job.id, lookUps);
    if (lookUps >= this.lookUpsUntilEnded) job.currentState = next;
  }

  private create({ body }: FakeRequest): FakeAnswer {
    const wanted = JSON.parse(body.toString()) as Partial<FakeJob>;
    const repeated = this.jobs.find((one) => one.clientRequestId === wanted.clientRequestId);
    if (repeated) return { status: 200, body: this.summary(repeated) };
    const replaced = this.jobs.find((one) => one.id === wanted.replaceJobId);
    if (wanted.replaceJobId && replaced?.currentState !== "JOB_STATE_RUNNING") {
      return googleError(400, `The job ${wanted.replaceJobId} is not running and cannot be replaced.`);
    }
    const namesake = this.jobs.find((one) => one.name === wanted.name && ACTIVE.includes(one.currentState));
    if (namesake && namesake !== replaced) {
      return googleError(
        409,
        `(fake): The workflow could not be created. Causes: (fake): There is already an active job named ` +
          `${namesake.name}. If you want to submit a second job, try again by setting a different name.`,
      );
    }
    const job = this.add({ ...wanted, currentState: "JOB_STATE_PENDING" });
    if (replaced) {
      replaced.currentState = "JOB_STATE_UPDATED";
      replaced.replacedByJobId = job.id;
      job.currentState = "JOB_STATE_RUNNING";
    }
    return { status: 200, body: this.summary(job) };
  }

  private page<T>(all: readonly T[], query: URLSearchParams): { items: T[]; nextPageToken?: string } {
    const start = Number(query.get("pageToken") ?? 0);
    const items = all.slice(start, start + this.pageSize);
    const next = start + this.pageSize;
    return { items, ...(next < all.length ? { nextPageToken: String(next) } : {}) };
  }

  private list({ query }: FakeRequest): FakeAnswer {
    const active = query.get("filter") === "ACTIVE";
    const matching = this.jobs.filter((job) => !active || ACTIVE.includes(job.currentState));
    const { items, nextPageToken } = this.page(matching, query);
    return { status: 200, body: { jobs: items.map((job) => this.summary(job)), nextPageToken } };
  }

  private update(job: FakeJob, { body, query }: FakeRequest): FakeAnswer {
    const { requestedState } = JSON.parse(body.toString()) as { requestedState?: string };
    if (query.has("updateMask")) return googleError(400, "requested_state and update_mask exclude each other");
    const state = REQUESTS[requestedState ?? ""];
    if (!state) return googleError(400, `cannot request ${requestedState}`);
    if (!ACTIVE.includes(job.currentState)) return googleError(400, `(fake): Job ${job.id} has ended`);
    job.requestedState = requestedState;
    job.currentState = state;
    return { status: 200, body: this.summary(job) };
  }

  private listMessages({ query }: FakeRequest): FakeAnswer {
    const least = IMPORTANCES.indexOf(query.get("minimumImportance") ?? "JOB_MESSAGE_BASIC");
    const since = query.get("startTime") ?? "";
    const matching = this.messages.filter(
      (one) => IMPORTANCES.indexOf(one.messageImportance) >= least && one.time >= since,
    );
    const { items, nextPageToken } = this.page(matching, query);
    return { status: 200, body: { jobMessages: items, nextPageToken } };
  }
}
