/** The event pipeline with bounded input: the messages are part of it, so any runner with the worker image can run it. */
import "@eventlogger/beam/sdk";
import { create, withName, type PCollection, type Root } from "apache-beam";
import { getRegisteredModules } from "apache-beam/serialization";
import { asDockerEnvironment } from "apache-beam/internal/environments";
import type { Pipeline } from "apache-beam/proto/beam_runner_api";
import type { BigQuery } from "@google-cloud/bigquery";
import { afterWatermark, buildPipeline, replaceDefaultEnvironment } from "@eventlogger/beam";
import { readDailyRollups } from "@eventlogger/gcp/bigquery/dailyRollups";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { tableReference } from "@eventlogger/gcp/bigquery/views";
import { writeRows, type TableTarget } from "@eventlogger/pipeline/io/bigquery/writeRows";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { bruteForceStatistics, type StatisticsReport } from "@eventlogger/traffic/bruteForce";
import { generateTraffic } from "@eventlogger/traffic/generator/trafficGenerator";
import { validateEvent } from "@eventlogger/events/validation";
import { encodeMessage } from "@eventlogger/events/eventMessage";
import { eventPipeline } from "@eventlogger/pipeline/eventPipeline";
import type { PubSubMessage } from "@eventlogger/pipeline/io/pubsub/message";
import { newShardHashSecret } from "@eventlogger/pipeline/shards";
import { statisticsReport } from "@eventlogger/pipeline/testing/statisticsReport";

const GAP_MS = 30 * 60_000;
const DAY_MS = 86_400_000;

/** Contents of tables and views after the run. */
export interface Outcome {
  readonly rollups: StatisticsReport;
  readonly uniqueEvents: number;
  readonly deadLetters: readonly string[];
}

export interface BoundedPipeline {
  readonly pipeline: Pipeline;
  /** For the pipeline option `registered_node_modules`. */
  readonly modules: readonly string[];
  readonly messages: number;
  /** Computed by brute force, without code of the pipeline. */
  readonly expected: Outcome;
}

const NOT_EVENTS = ["no JSON", '{"type":"event","session_id":""}'];

/** Fresh, stale, duplicated and shuffled events of three days, and of one day in 2020. */
function events(count: number): AnalyticsEvent[] {
  const traffic = generateTraffic({
    count,
    days: 3,
    users: 200,
    eventsPerSession: 5,
    duplicateShare: 0.1,
    lateBy: 200,
  });
  return [...traffic].map((input) => {
    const result = validateEvent(input, Date.now());
    if (!result.ok) throw new Error(`The generator produced an invalid event: ${JSON.stringify(result.errors)}`);
    return result.event;
  });
}

/**
 * A source inside the pipeline. Its function is sent as source text with the values it uses, which is the SDK's way for
 * functions: the images contain nothing that only tests need.
 */
function messagesOf(texts: readonly string[]) {
  const toMessage = (text: string): PubSubMessage => ({
    data: new TextEncoder().encode(text),
    messageId: "m",
    publishTime: Date.now(),
  });
  Object.assign(toMessage, { __closure: () => ({ TextEncoder, Date }) });
  return withName("ReadMessages", (root: Root): PCollection<PubSubMessage> =>
    root.apply(create([...texts])).map(withName("ToMessage", toMessage)),
  );
}

/**
 * Beam's local runner does not support processing time, which early and late firings need. As the input is bounded, each
 * window fires when the watermark passes its end.
 */
function fireAtTheEnd(pipeline: Pipeline): void {
  for (const strategy of Object.values(pipeline.components?.windowingStrategies ?? {})) {
    if (strategy.trigger?.trigger.oneofKind === "afterEndOfWindow") strategy.trigger = afterWatermark();
  }
}

/** Builds the pipeline for a worker image, with tables of an emulator as its sinks. */
export async function boundedPipeline(image: string, target: TableTarget, count: number): Promise<BoundedPipeline> {
  const accepted = events(count);
  const texts = accepted.map((event) => encodeMessage(event).data.toString("utf8"));
  const pipeline = await buildPipeline(
    eventPipeline(
      {
        readMessages: messagesOf([...texts, ...NOT_EVENTS]),
        writeEvents: writeRows("WriteEvents", target, "events"),
        writeRollupVersions: writeRows("WriteRollupVersions", target, "daily_rollup_versions"),
        writeRetentionVersions: writeRows("WriteRetentionVersions", target, "weekly_retention_versions"),
        writeDeadLetters: writeRows("WriteDeadLetters", target, "dead_letters"),
        writeAcceptedIds: writeRows("WriteAcceptedIds", target, "accepted_ids"),
      },
      {
        ...{ sessionGapMs: GAP_MS, lateAfterMs: DAY_MS, earlyFiringMs: 1000 },
        // As on Dataflow.
        ...{ sessionWindows: "beam", skipsCountedDays: false },
        shardHashSecret: newShardHashSecret(),
      },
    ),
  );
  fireAtTheEnd(pipeline);
  replaceDefaultEnvironment(pipeline, (environment) => asDockerEnvironment(environment, image));
  return {
    pipeline,
    modules: getRegisteredModules(),
    messages: texts.length + NOT_EVENTS.length,
    expected: {
      rollups: bruteForceStatistics(accepted, { gapMs: GAP_MS }),
      uniqueEvents: new Set(accepted.map((event) => event.event_id)).size,
      deadLetters: ["invalid_event", "not_json"],
    },
  };
}

/** Reads the results of the pipeline. */
export async function readOutcome(bigquery: BigQuery, dataset: string): Promise<Outcome> {
  const rollups = statisticsReport(await readDailyRollups(bigquery, dataset));
  const table = (name: string): string => tableReference(bigquery.projectId, dataset, name);
  const unique = await runQuery(bigquery, `SELECT COUNT(*) AS n FROM ${table("events_unique")}`);
  const letters = await runQuery(bigquery, `SELECT error_type FROM ${table("dead_letters")} ORDER BY error_type`);
  return {
    rollups,
    uniqueEvents: unique[0]?.number("n") ?? 0,
    deadLetters: letters.map((row) => row.text("error_type")),
  };
}
