import type { BigQuery } from "@google-cloud/bigquery";
import type { TableName, TableRows } from "@eventlogger/gcp/bigquery/tables";
import type { FakeGoogle } from "@eventlogger/gcp/testing/fakeGoogle";
import type { FakeJob } from "@eventlogger/gcp/testing/fakeDataflow";
import { eventRow } from "../../../io/bigquery/eventRow";
import type { PubSubMessage } from "../../../io/pubsub/message";
import type { ParsedEvent } from "../../../parse/parsedEvent";
import { parseMessage } from "../../../parse/parseMessages";
import { parseReplay } from "../../../parse/parseReplay";
import { computedRows } from "../../../testing/computedRows";
import { Computations } from "../../../testing/computations";

/** What a fake job computes. */
export interface JobDefinition {
  readonly generation: number;
  readonly subscription: string;
  readonly replaySubscription: string;
  readonly sessionGapMs: number;
}

interface Pulled {
  readonly ackId: string;
  readonly message: {
    readonly data?: string;
    readonly attributes?: Record<string, string>;
    readonly messageId: string;
    readonly publishTime: string;
  };
}

/** A job's state, which ends with it. */
interface SimulatedJob {
  readonly computations: Computations;
  /** Everything published before was processed; epoch ms by subscription. */
  readonly emptyAt: Map<string, number>;
}

/**
 * Computes what the jobs of the fake Dataflow would: reads their subscriptions from the Pub/Sub emulator, counts with the DoFns
 * of the pipeline, and writes rows to the BigQuery emulator. Makes the metrics of Cloud Monitoring from that.
 */
export class SimulatedJobs {
  private readonly jobs = new Map<string, SimulatedJob>();
  private isStopped = false;
  private running: Promise<void> | undefined;

  constructor(
    private readonly google: FakeGoogle,
    private readonly bigquery: BigQuery,
    private readonly pubsubHost: string,
  ) {}

  /** Ids of active jobs whose definition has a generation. */
  active(generation: number): FakeJob[] {
    return this.google.dataflow.jobs.filter(
      (job) => (job.definition as JobDefinition | undefined)?.generation === generation && isActive(job),
    );
  }

  /** Runs until {@link stop}, without the state of earlier jobs, whose ids the fake uses again. @param dataset see {@link process} */
  start(dataset: () => string): void {
    this.isStopped = false;
    this.jobs.clear();
    this.google.monitoring.read = (metric, labels, to) => this.samples(metric, labels, to);
    this.running = (async () => {
      while (!this.isStopped) {
        await this.process(dataset());
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.running;
  }

  /** All jobs that run process their messages. */
  async process(dataset: string): Promise<void> {
    for (const job of this.google.dataflow.jobs) {
      const definition = job.definition as JobDefinition | undefined;
      if (job.currentState === "JOB_STATE_PENDING") job.currentState = "JOB_STATE_RUNNING";
      if (!definition || job.currentState !== "JOB_STATE_RUNNING") continue;
      const state = this.jobs.get(job.id) ?? {
        computations: new Computations(definition.sessionGapMs),
        emptyAt: new Map<string, number>(),
      };
      this.jobs.set(job.id, state);
      for (const name of [definition.replaySubscription, definition.subscription]) {
        await this.readSubscription(dataset, name, definition, state);
      }
    }
  }

  private async readSubscription(
    dataset: string,
    name: string,
    definition: JobDefinition,
    { computations, emptyAt }: SimulatedJob,
  ): Promise<void> {
    const began = Date.now();
    for (;;) {
      const pulled = await this.pull(name);
      if (pulled.length === 0) break;
      const isReplay = name === definition.replaySubscription;
      const events = pulled.flatMap(({ message }) => [...parsed(message, isReplay)]);
      await this.count(dataset, definition.generation, computations, events);
      if (!isReplay)
        await this.insert(
          dataset,
          "events",
          events.map(({ event }) => eventRow(event)),
        );
      await this.call(name, "acknowledge", { ackIds: pulled.map(({ ackId }) => ackId) });
    }
    emptyAt.set(name, began);
  }

  private async count(
    dataset: string,
    generation: number,
    computations: Computations,
    events: readonly ParsedEvent[],
  ): Promise<void> {
    const rows = await computedRows(
      events.map(({ event }) => event),
      computations,
    );
    const ofGeneration = <T extends object>(row: T): T & { generation: number } => ({ ...row, generation });
    await this.insert(dataset, "daily_rollup_versions", rows.daily_rollup_versions.map(ofGeneration));
    await this.insert(dataset, "weekly_retention_versions", rows.weekly_retention_versions.map(ofGeneration));
  }

  private async insert<T extends TableName>(dataset: string, table: T, rows: TableRows[T][]): Promise<void> {
    if (rows.length) await this.bigquery.dataset(dataset).table(table).insert(rows);
  }

  private async pull(name: string): Promise<readonly Pulled[]> {
    const answer = (await this.call(name, "pull", { maxMessages: 500, returnImmediately: true })) as {
      receivedMessages?: Pulled[];
    };
    return answer.receivedMessages ?? [];
  }

  private async call(name: string, verb: string, body: object): Promise<unknown> {
    const url = `http://${this.pubsubHost}/v1/projects/${this.google.project}/subscriptions/${name}:${verb}`;
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    // The subscription of a job can be deleted.
    if (response.status === 404) return {};
    if (!response.ok) throw new Error(`${verb} ${name}: HTTP ${response.status}: ${await response.text()}`);
    return response.json();
  }

  private samples(
    metric: string,
    labels: ReadonlyMap<string, string>,
    to: number,
  ): { time: number; value: number }[] | undefined {
    if (metric.startsWith("dataflow.")) {
      const job = this.google.dataflow.jobs.find(({ id }) => id === labels.get("metric.labels.job_id"));
      return job?.currentState === "JOB_STATE_RUNNING" ? [{ time: to, value: 0 }] : undefined;
    }
    const name = labels.get("resource.labels.subscription_id") ?? "";
    const times = [...this.jobs.values()].flatMap(({ emptyAt }) => emptyAt.get(name) ?? []);
    return times.length === 0 ? undefined : [{ time: Math.max(...times), value: 0 }];
  }
}

const isActive = ({ currentState }: FakeJob): boolean =>
  ["JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_DRAINING", "JOB_STATE_CANCELLING"].includes(currentState);

function* parsed(
  { data, attributes = {}, messageId, publishTime }: Pulled["message"],
  isReplay: boolean,
): Generator<ParsedEvent> {
  const message: PubSubMessage = {
    ...{ data: Buffer.from(data ?? "", "base64"), messageId, publishTime: Date.parse(publishTime) },
  };
  const now = Date.now();
  const results = isReplay
    ? parseReplay(message, attributes.replay ?? "", true, now)
    : [parseMessage(message, undefined, now)];
  for (const result of results) {
    if (result.kind !== "event") throw new Error(`a message became a dead letter: ${result.deadLetter.errorMessage}`);
    yield { event: result.event, isStale: result.isStale };
  }
}
