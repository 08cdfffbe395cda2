import { Counter, Gauge, Registry } from "prom-client";

/** The state of a run at one moment, from which its metrics are made. */
export interface RunSnapshot {
  /** Sums over all workers; see `count`. */
  readonly counters: Readonly<Record<string, number>>;
  /** The highest value among the running workers; see `gaugeFrom`. */
  readonly gauges: Readonly<Record<string, number>>;
  readonly jobRestarts: number;
  readonly failedCheckpoints: number;
  /** ms; undefined before the job runs. */
  readonly checkpointAgeMs: number | undefined;
  /** Size of the last checkpoint; bytes; undefined before the first one. */
  readonly stateBytes: number | undefined;
  readonly clockSteps: number;
}

interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  /** Undefined: not known yet. */
  readonly read: (snapshot: RunSnapshot) => number | undefined;
}

const REFUSED_ROWS = "refusedRows.";

const counterOf =
  (name: string) =>
  ({ counters }: RunSnapshot): number =>
    counters[name] ?? 0;

const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1000);

/** The metrics of `run` without labels. Counters begin at 0 with each run. */
const METRICS: readonly Metric[] = [
  {
    name: "pipeline_events_total",
    type: "counter",
    help: "Events that were read. Redelivered ones count again",
    read: counterOf("events"),
  },
  {
    name: "pipeline_replayed_events_total",
    type: "counter",
    help: "Stored events that were replayed into the ledgers. Redelivered ones count again",
    read: counterOf("replayedEvents"),
  },
  {
    name: "pipeline_message_bytes_total",
    type: "counter",
    help: "Size of the data of the messages that were read",
    read: counterOf("messageBytes"),
  },
  {
    name: "pipeline_bundles_total",
    type: "counter",
    help: "Bundles that the workers have finished. An idle pipeline finishes empty ones",
    read: counterOf("worker.bundles"),
  },
  {
    name: "pipeline_failed_bundles_total",
    type: "counter",
    help: "Bundles that failed. Their messages are redelivered",
    read: counterOf("worker.failedBundles"),
  },
  {
    name: "pipeline_job_restarts_total",
    type: "counter",
    help: "How often Flink has restarted the job from its last checkpoint",
    read: ({ jobRestarts }) => jobRestarts,
  },
  {
    name: "pipeline_failed_checkpoints_total",
    type: "counter",
    help: "Checkpoints that Flink could not complete",
    read: ({ failedCheckpoints }) => failedCheckpoints,
  },
  {
    name: "pipeline_checkpoint_age_seconds",
    type: "gauge",
    help: "Time since the last completed checkpoint, or since the start of the job",
    read: ({ checkpointAgeMs }) => seconds(checkpointAgeMs),
  },
  {
    name: "pipeline_watermark_lag_seconds",
    type: "gauge",
    help: "How far the watermark of the source is behind the clock",
    read: ({ gauges }) => seconds(gauges["source.watermarkLagMs"]),
  },
  {
    name: "pipeline_oldest_unacknowledged_message_age_seconds",
    type: "gauge",
    help: "Time since the publication of the oldest message that was received and not acknowledged; 0 without one",
    read: ({ gauges }) => seconds(gauges["source.oldestUnacknowledgedMs"]),
  },
  {
    name: "pipeline_oldest_unacknowledged_replay_message_age_seconds",
    type: "gauge",
    help: "The same of the messages of a replay",
    read: ({ gauges }) => seconds(gauges["source.replay.oldestUnacknowledgedMs"]),
  },
  {
    name: "pipeline_dead_letters_total",
    type: "counter",
    help: "Messages that are not events, and raw rows that BigQuery refused",
    read: ({ counters }) => (counters["deadLetters"] ?? 0) + (counters[`${REFUSED_ROWS}events`] ?? 0),
  },
  {
    name: "pipeline_conflicting_events_total",
    type: "counter",
    help: "Events with the event_id of another one that a worker has read lately, and with other content",
    read: counterOf("conflictingEvents"),
  },
  {
    name: "pipeline_shared_anonymous_ids_total",
    type: "counter",
    help: "Anonymous ids that were seen with more than 50 users, and count for nobody since then",
    read: counterOf("sharedAnonymousIds"),
  },
  {
    name: "pipeline_events_with_unknown_fields_total",
    type: "counter",
    help: "Events whose messages have fields that this release does not know. They are kept in the properties",
    read: counterOf("eventsWithUnknownFields"),
  },
  {
    name: "pipeline_state_bytes",
    type: "gauge",
    help: "Size of the last checkpoint, which contains all state",
    read: ({ stateBytes }) => stateBytes,
  },
  {
    name: "pipeline_clock_steps_total",
    type: "counter",
    help: "Steps of the clock of this machine by more than a second",
    read: ({ clockSteps }) => clockSteps,
  },
];

/** Creates the metrics of a run. @param snapshot called when they are collected */
export function runMetrics(snapshot: () => RunSnapshot): Registry {
  const registry = new Registry();
  for (const { name, help, type, read } of METRICS) {
    if (type === "gauge") {
      new Gauge({
        name,
        help,
        registers: [registry],
        collect() {
          const value = read(snapshot());
          if (value === undefined) this.remove();
          else this.set(value);
        },
      });
      continue;
    }
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(read(snapshot()) ?? 0);
      },
    });
  }
  new Counter({
    name: "pipeline_refused_rows_total",
    help: "Rows that BigQuery refused, by table",
    labelNames: ["table"],
    registers: [registry],
    collect() {
      this.reset();
      // Alerts see the first refused row only when there was a 0 before.
      this.inc({ table: "events" }, 0);
      for (const [counter, rows] of Object.entries(snapshot().counters)) {
        if (counter.startsWith(REFUSED_ROWS)) this.inc({ table: counter.slice(REFUSED_ROWS.length) }, rows);
      }
    },
  });
  return registry;
}
