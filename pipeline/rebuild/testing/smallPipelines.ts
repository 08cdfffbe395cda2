import type { BigQuery } from "@google-cloud/bigquery";
import type { Message, PubSub, Subscription } from "@google-cloud/pubsub";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeMessage } from "@eventlogger/events/eventMessage";
import { decodeReplay } from "@eventlogger/events/replayMessage";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import type { Generation } from "@eventlogger/gcp/bigquery/generations";
import { readGeneration } from "@eventlogger/gcp/bigquery/generations";
import type { RetentionVersionRow } from "@eventlogger/gcp/bigquery/tables";
import { bruteForceRetention } from "@eventlogger/traffic/bruteForceRetention";
import { RunLease } from "@eventlogger/gcp/bigquery/runLease";
import { eventRow } from "../../io/bigquery/eventRow";
import type { PipelineStatus, RebuildDriver } from "../driver";
import { retentionRows, rollupRows } from "../../testing/expectedRows";
import { dailyNumbers, type CountedEvent } from "./dailyNumbers";

/** Time without a message after which a subscription of the emulator counts as empty; ms. */
const QUIET_MS = 400;

/** What outlives the process of a pipeline. */
interface State {
  readonly events: Map<string, CountedEvent>;
  /** The rows of the retention that were written last, by cohort and week. */
  readonly cohorts: Map<string, RetentionVersionRow>;
  version: number;
}

/** A pipeline of a generation: reads both subscriptions, writes raw rows and the numbers of all its events. */
class SmallPipeline {
  private readonly subscriptions: Subscription[] = [];
  private readonly pending: { readonly message: Message; readonly live: AnalyticsEvent | undefined }[] = [];
  private arrivedAt = Date.now();
  private busy: Promise<void> = Promise.resolve();
  publishedUntil: number | undefined;

  constructor(
    private readonly bigquery: BigQuery,
    private readonly dataset: string,
    private readonly generation: Generation,
    private readonly state: State,
    pubsub: PubSub,
    readonly lease: RunLease | undefined,
  ) {
    for (const name of [generation.subscription, generation.replaySubscription]) {
      if (name === null) continue;
      const subscription = pubsub.subscription(name);
      subscription.on("message", (message: Message) => this.receive(message, name === generation.subscription));
      this.subscriptions.push(subscription);
    }
  }

  /** Processes what has arrived. */
  process(): Promise<void> {
    return (this.busy = this.busy.then(() => this.write()));
  }

  async stop(): Promise<void> {
    for (const subscription of this.subscriptions) subscription.removeAllListeners("message");
    await this.busy;
    for (const { message } of this.pending.splice(0)) message.nack();
    await Promise.all(this.subscriptions.map((subscription) => subscription.close()));
    await this.lease?.release(() => {});
  }

  private receive(message: Message, isLive: boolean): void {
    this.arrivedAt = Date.now();
    const meta = { messageId: message.id, publishTime: message.publishTime.getTime() };
    const decoded = isLive ? decodeMessage(message.data, meta) : undefined;
    this.pending.push({ message, live: decoded?.ok ? decoded.event : undefined });
  }

  private async write(): Promise<void> {
    const now = Date.now();
    const isQuiet = now - this.arrivedAt >= QUIET_MS;
    const batch = this.pending.splice(0);
    const live = batch.flatMap((one) => (one.live ? [one.live] : []));
    if (live.length) await this.bigquery.dataset(this.dataset).table("events").insert(live.map(eventRow));
    const { events } = this.state;
    for (const event of live) events.set(event.event_id, event);
    for (const { message } of batch.filter((one) => !one.live)) {
      for (const line of decodeReplay(message.data)) if (line.ok) events.set(line.event.event_id, line.event);
    }
    if (batch.length) await this.writeNumbers();
    for (const { message } of batch) message.ack();
    if (isQuiet) this.publishedUntil = now - QUIET_MS;
  }

  private async writeNumbers(): Promise<void> {
    const { generation, settings } = this.generation;
    const version = ++this.state.version;
    const events = [...this.state.events.values()];
    const numbers = dailyNumbers(events, settings.sessionGapMs);
    const dataset = this.bigquery.dataset(this.dataset);
    await dataset.table("daily_rollup_versions").insert(rollupRows(numbers, { generation, version }));
    const { cohorts } = this.state;
    const now = retentionRows(bruteForceRetention(events), { generation, version });
    const keyOf = (row: RetentionVersionRow): string => `${row.cohort_week} ${row.week_offset}`;
    const keys = new Set(now.map(keyOf));
    // A person whose first day moves back leaves a cohort, which may have nobody then.
    const left = [...cohorts.values()].filter((row) => !keys.has(keyOf(row)));
    const rows = [...now, ...left.map((row) => ({ ...row, version, person_count: 0 }))];
    for (const row of rows) cohorts.set(keyOf(row), row);
    await dataset.table("weekly_retention_versions").insert(rows);
  }
}

/**
 * Pipelines of generations on real Pub/Sub and BigQuery (emulators), reduced to what a rebuild depends on. The pipeline of the active
 * generation belongs to a person, and follows the active generation; that of a generation that is being built ends with the rebuild.
 */
export class SmallPipelines {
  private readonly states = new Map<number, State>();
  private readonly running = new Map<number, SmallPipeline>();
  private child: number | undefined;
  private followed: number | undefined;

  constructor(
    private readonly bigquery: BigQuery,
    private readonly dataset: string,
    private readonly pubsub: PubSub,
  ) {}

  /** The ids of generations that have state. */
  get withState(): number[] {
    return [...this.states.keys()].sort();
  }

  /** Starts the run of a person, with the lease of its generation. */
  async startRun(generation: number): Promise<void> {
    const row = await readGeneration(this.bigquery, this.dataset, generation);
    if (!row) throw new Error(`There is no generation ${generation}`);
    const { bigquery, dataset } = this;
    const lease = await RunLease.take({
      ...{ bigquery, dataset, generation, run: `run-${generation}`, holder: "test", ended: [], onTrouble: () => {} },
    });
    this.begin(row, lease);
    this.followed = generation;
  }

  /** Kills the pipeline of the generation that is being built. */
  async endChild(): Promise<void> {
    if (this.child !== undefined) await this.end(this.child);
    this.child = undefined;
  }

  /** Processes what has arrived, in every pipeline. */
  async process(): Promise<void> {
    await Promise.all([...this.running.values()].map((pipeline) => pipeline.process()));
  }

  async close(): Promise<void> {
    await Promise.all([...this.running.keys()].map((generation) => this.end(generation)));
  }

  driver(): RebuildDriver {
    return {
      runner: "flink",
      check: async () => {},
      start: async (generation) => {
        this.begin(generation, undefined);
        this.child = generation.generation;
      },
      observe: (generation) => this.observe(generation),
      stop: () => this.endChild(),
      handOver: async (previous, active) => {
        await this.endChild();
        if (this.followed !== previous.generation) return;
        await this.end(previous.generation);
        await this.startRun(active.generation);
      },
      end: async () => {},
      removeState: async ({ generation }) => void this.states.delete(generation),
      advice: () => [],
      close: () => this.endChild(),
    };
  }

  private begin(row: Generation, lease: RunLease | undefined): void {
    const state = this.states.get(row.generation) ?? { events: new Map(), cohorts: new Map(), version: 0 };
    this.states.set(row.generation, state);
    this.running.set(row.generation, new SmallPipeline(this.bigquery, this.dataset, row, state, this.pubsub, lease));
  }

  private async end(generation: number): Promise<void> {
    await this.running.get(generation)?.stop();
    this.running.delete(generation);
  }

  private async observe({ generation }: Generation): Promise<PipelineStatus> {
    await sleep(50);
    await this.process();
    const pipeline = this.running.get(generation);
    const until = pipeline?.publishedUntil;
    return {
      state: pipeline ? "running" : "absent",
      detail: undefined,
      publishedUntil: { live: until, replay: until },
    };
  }
}
