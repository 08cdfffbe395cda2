import type { Generation, GenerationResources, GenerationSettings } from "@eventlogger/gcp/bigquery/generations";
import { GenerationExistsError } from "@eventlogger/gcp/bigquery/generations";
import type { PipelineStatus, RebuildDriver } from "../driver";
import type { RebuildRecord } from "../record";
import type { RebuildServices } from "../services";
import { killable, type Kill } from "./killable";

/** An event is its number: it is published at that time, ms. */
type Event = number;

interface Subscription {
  /** `events`, or a replay topic. */
  readonly topic: string;
  readonly messages: Event[];
}

/** What a pipeline of a generation has counted, and whether it runs. */
interface Pipeline {
  readonly counted: Set<Event>;
  isRunning: boolean;
  /** Whether it ends with the process that runs the rebuild. */
  isChild: boolean;
  processedUntil: number;
}

/** Events of the past are in these partitions of `events`. */
const FIRST_TIME = Date.parse("2024-03-01T00:00:00Z");
/** Events are in flight for less than this. */
const IN_FLIGHT_MS = 15_000;
const partitionOf = (event: Event): string => new Date(event).toISOString().slice(0, 10);

/**
 * Pub/Sub, BigQuery and the pipelines of the generations in memory, each reduced to what a rebuild depends on. With every call of the rebuild
 * some time passes, in which an event is published and running pipelines process messages.
 */
export class World {
  readonly rows = new Set<Event>();
  readonly published: Event[] = [];
  readonly subscriptions = new Map<string, Subscription>();
  readonly topics = new Set(["events", "events-replay-g1"]);
  readonly pipelines = new Map<number, Pipeline>();
  readonly states = new Set([1]);
  generations: Generation[] = [];
  /** The generations that readers saw. */
  readonly seen: number[] = [];
  /** Events that readers saw counted, and later not, when generations were switched. Those of the last moments are not in it. */
  readonly vanished: Event[] = [];
  /** Messages of generation 1 whose lease a killed worker holds. They are redelivered by {@link redeliver}. */
  readonly leased: Event[] = [];
  clock = FIRST_TIME;
  /** Number of calls so far. */
  calls = 0;
  /** Called after each call. */
  onCall: () => void = () => {};

  constructor({ history = 40 } = {}) {
    this.subscriptions.set("sub", { topic: "events", messages: [] });
    this.subscriptions.set("sub-replay-g1", { topic: "events-replay-g1", messages: [] });
    this.pipelines.set(1, { counted: new Set(), isRunning: true, isChild: false, processedUntil: 0 });
    this.generations = [this.row(1, "active", { sessionGapMs: 1000 }, { replayTopic: "events-replay-g1" }, null)];
    for (let i = 0; i < history; i++) this.pass(i % 10 === 9 ? 86_400_000 : 1000);
  }

  /** Some time passes. */
  pass(ms = 1000): void {
    this.clock += ms;
    this.published.push(this.clock);
    for (const { topic, messages } of this.subscriptions.values()) if (topic === "events") messages.push(this.clock);
    for (const generation of this.generations) this.process(generation);
    this.read();
  }

  private read(): void {
    const active = this.generations.find(({ status }) => status === "active")?.generation;
    const before = this.seen.at(-1);
    if (active === undefined || active === before) return;
    this.seen.push(active);
    const counted = this.pipelines.get(active)?.counted ?? new Set();
    const gone = [...(this.pipelines.get(before ?? 0)?.counted ?? [])].filter((event) => !counted.has(event));
    this.vanished.push(...gone.filter((event) => event < this.clock - IN_FLIGHT_MS));
  }

  /** The leases of killed workers end. */
  redeliver(): void {
    this.subscriptions.get("sub")?.messages.push(...this.leased.splice(0));
  }

  /** Kills the process that runs the rebuild, with the pipeline that is its child. */
  kill(): void {
    this.endChild();
    this.generations = this.generations.map((row) => {
      const record = row.rebuild as RebuildRecord | null;
      return record?.owner
        ? { ...row, rebuild: { ...record, owner: { ...record.owner, started: "of a dead process" } } }
        : row;
    });
  }

  private endChild(): void {
    for (const pipeline of this.pipelines.values()) if (pipeline.isChild) pipeline.isRunning = false;
  }

  /** The person's `run` follows the active generation. */
  private follow(): void {
    const active = this.generations.find(({ status }) => status === "active");
    const kept = this.generations.find(({ generation, status }) => generation === 1 && status === "building");
    const first = this.pipelines.get(1);
    if (!active || active.generation === 1 || kept || !first?.isRunning) return;
    first.isRunning = false;
    const next = this.pipelines.get(active.generation);
    if (next) [next.isRunning, next.isChild] = [true, false];
  }

  private process({ generation, subscription, replaySubscription }: Generation): void {
    const pipeline = this.pipelines.get(generation);
    if (!pipeline?.isRunning) return;
    for (const [name, isReplay] of [
      [subscription, false],
      [replaySubscription, true],
    ] as const) {
      for (const event of this.subscriptions.get(name ?? "")?.messages.splice(0) ?? []) {
        pipeline.counted.add(event);
        if (!isReplay) this.rows.add(event);
      }
    }
    pipeline.processedUntil = this.clock;
  }

  private row(
    generation: number,
    status: Generation["status"],
    settings: GenerationSettings,
    resources: Partial<GenerationResources>,
    rebuild: unknown,
  ): Generation {
    const now = new Date(this.clock).toISOString();
    return {
      ...{
        generation,
        status,
        settings,
        createdAt: now,
        activatedAt: null,
        retiredAt: null,
        job: null,
        rebuild,
        state: null,
      },
      ...{ subscription: "sub", replayTopic: null, replaySubscription: "sub-replay-g1", ...resources },
      lease: this.leaseOf(generation),
    };
  }

  private leaseOf(generation: number): Generation["lease"] {
    const now = new Date(this.clock).toISOString();
    if (!this.pipelines.get(generation)?.isRunning) return null;
    return { run: "r", holder: "host:1", takenAt: now, expiresAt: now, leftMs: 60_000 };
  }

  private change(generation: number, changes: (row: Generation) => Partial<Generation>): void {
    this.generations = this.generations.map((row) =>
      row.generation === generation ? { ...row, ...changes(row) } : row,
    );
  }

  private statusOf({ generation }: Generation): PipelineStatus {
    const pipeline = this.pipelines.get(generation);
    const until = pipeline?.processedUntil;
    return {
      state: pipeline?.isRunning ? "running" : "absent",
      detail: undefined,
      publishedUntil: { live: until, replay: until },
    };
  }

  private driver(): RebuildDriver {
    return {
      runner: "flink",
      check: async () => {},
      start: async ({ generation }) => {
        const counted = this.pipelines.get(generation)?.counted ?? new Set<Event>();
        this.states.add(generation);
        this.pipelines.set(generation, { counted, isRunning: true, isChild: true, processedUntil: 0 });
      },
      observe: async (generation) => this.statusOf(generation),
      stop: async () => this.endChild(),
      handOver: async () => {
        this.endChild();
        this.follow();
      },
      end: async () => {},
      removeState: async ({ generation }) => void this.states.delete(generation),
      advice: () => [],
      close: async () => this.endChild(),
    };
  }

  private all(): RebuildServices {
    const remove = (name: string | null): void => void this.subscriptions.delete(name ?? "");
    return {
      driver: this.driver(),
      store: {
        list: async () => this.generations.map((row) => ({ ...row, lease: this.leaseOf(row.generation) })),
        now: async () => this.clock,
        create: async (settings, resources, record) => {
          const building = this.generations.find(({ status }) => status === "building");
          if (building) throw new GenerationExistsError("d", building.generation);
          const id = this.generations.length + 1;
          const row = this.row(id, "building", settings, resources(id), record);
          this.generations = [...this.generations, row];
          return row;
        },
        replace: async (generation, before, after) => {
          const row = this.generations.find((one) => one.generation === generation);
          if (JSON.stringify(row?.rebuild) !== JSON.stringify(before)) return false;
          this.change(generation, () => ({ rebuild: after }));
          return true;
        },
        activate: async (generation, { keepOld }) => {
          const previous = this.generations.find(({ status }) => status === "active");
          if (previous && previous.generation !== generation) {
            this.change(previous.generation, () => ({ status: keepOld ? "building" : "retired" }));
          }
          this.change(generation, () => ({ status: "active" }));
        },
        retire: async (generation) => this.change(generation, () => ({ status: "retired" })),
      },
      resources: {
        names: (generation, inherited) => ({
          subscription: inherited ?? `sub-g${generation}`,
          replayTopic: `events-replay-g${generation}`,
          replaySubscription: `sub-replay-g${generation}`,
        }),
        createLive: async (name) => {
          if (!this.subscriptions.has(name)) this.subscriptions.set(name, { topic: "events", messages: [] });
        },
        createReplay: async (generation) => {
          const [topic, name] = [`events-replay-g${generation}`, `sub-replay-g${generation}`];
          this.topics.add(topic);
          if (!this.subscriptions.has(name)) this.subscriptions.set(name, { topic, messages: [] });
        },
        deleteLive: async (name) => remove(name),
        deleteReplay: async ({ replayTopic, replaySubscription }) => {
          remove(replaySubscription);
          this.topics.delete(replayTopic ?? "");
        },
        forwardBacklog: async (name, untilMs) => {
          this.redeliver();
          const left = (this.subscriptions.get(name)?.messages.splice(0) ?? []).filter((event) => event <= untilMs);
          for (const { topic, messages } of this.subscriptions.values()) if (topic === "events") messages.push(...left);
          return left.length;
        },
      },
      rows: {
        horizon: async () => undefined,
        count: async ({ until, receivedTo }) => {
          const counts = new Map<string, number>();
          for (const event of this.rows) {
            const partition = partitionOf(event);
            if (until !== undefined && event > Date.parse(until)) continue;
            if (receivedTo !== undefined && partition > receivedTo) continue;
            counts.set(partition, (counts.get(partition) ?? 0) + 1);
          }
          return [...counts].map(([partition, rows]) => ({ partition, rows }));
        },
        replay: async ({ generation, partitions, onRows, onPartition }) => {
          for (const { partition, rows } of partitions) {
            const messages = [...this.rows].filter((event) => partitionOf(event) === partition);
            this.subscriptions.get(generation.replaySubscription ?? "")?.messages.push(...messages);
            onRows(rows);
            await onPartition(partition);
          }
        },
      },
      verifier: {
        compare: async ({ generation }, { inFlightSinceMs }) => {
          const counted = this.pipelines.get(generation)?.counted ?? new Set();
          const missing = [...this.rows].filter((event) => !counted.has(event));
          const inFlight = [...this.rows].filter((event) => event >= inFlightSinceMs).length;
          const differences = missing.map((event) => {
            return { date: partitionOf(event), number: "session_count" as const, expected: 1, actual: 0 };
          });
          // As in reality, only the number of events in flight is known, not which ones they are.
          return { equalDays: 1, differences, unexplained: missing.length > inFlight ? differences : [] };
        },
        compareRetention: async () => ({ equalCohorts: 1, differences: [], unexplained: [] }),
      },
    };
  }

  /** The services for one process, in which time passes with each call. */
  services(kill?: Kill): RebuildServices {
    return killable(this.all(), {
      kill,
      onKill: () => this.kill(),
      onCall: () => {
        this.calls++;
        this.onCall();
        this.pass();
      },
    });
  }
}
