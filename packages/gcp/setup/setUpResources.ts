import type { BigQuery } from "@google-cloud/bigquery";
import { bigQueryClient } from "../bigquery/client";
import { readActiveGeneration } from "../bigquery/generations/readGenerations";
import { existingTable } from "../bigquery/setup/existingTable";
import { setUpRefresh } from "../bigquery/setup/setUpRefresh";
import { setUpBigQuery } from "../bigquery/setup/setUpBigQuery";
import { generationsTable } from "../bigquery/tables";
import type { RetentionSetting } from "../bigquery/setup/setUpRetention";
import { GoogleApi } from "../api/googleApi";
import { pubSubClient } from "../pubsub/client";
import { liveSubscription } from "../pubsub/replayNames";
import { setUpPubSub, type PubSubSetup } from "../pubsub/setup/setUpPubSub";
import type { SetupStep } from "./setupStep";
import { setUpBucket } from "../storage/setUpBucket";

export interface SetupOptions extends PubSubSetup {
  readonly project: string;
  readonly dataset: string;
  /** URL of a BigQuery emulator. The variable PUBSUB_EMULATOR_HOST names a Pub/Sub emulator. */
  readonly bigqueryEndpoint?: string | undefined;
  /** Name of the bucket for staged and temporary files of Dataflow jobs; undefined: no bucket. */
  readonly bucket?: string | undefined;
  /** Location of a new dataset and a new bucket, such as `EU`. */
  readonly location?: string | undefined;
  /** Days after which rows of `events` are deleted, or `none`. Undefined: as it is. */
  readonly eventRetention?: RetentionSetting | undefined;
  /** Schedule of a scheduled query that refreshes the breakdowns, such as `every 10 minutes`; undefined: no scheduled query. */
  readonly refresh?: string | undefined;
  /** URL that replaces Google's Data Transfer API. */
  readonly transferEndpoint?: string | undefined;
}

/**
 * Creates all resources of the pipeline and the ingest service: schema, topics, subscriptions, dataset, tables, views,
 * bucket. Safe to repeat.
 * @param onStep called after each resource
 * @throws Error that names the missing permission, or a resource that exists and cannot be used
 */
export async function setUpResources(options: SetupOptions, onStep: (step: SetupStep) => void): Promise<void> {
  const bigquery = bigQueryClient({ project: options.project, endpoint: options.bigqueryEndpoint });
  const active = await activeSubscription(bigquery, options);
  const pubsub = pubSubClient(options);
  try {
    for (const step of await setUpPubSub(pubsub, { ...options, active })) onStep(step);
  } finally {
    await pubsub.close();
  }
  for (const step of await setUpBigQuery(bigquery, options)) onStep(step);
  const { bucket, refresh: schedule, dataset, transferEndpoint } = options;
  if (schedule !== undefined) {
    onStep(
      await setUpRefresh(new GoogleApi(options.project), bigquery, { dataset, schedule, endpoint: transferEndpoint }),
    );
  }
  if (bucket !== undefined) onStep(await setUpBucket(new GoogleApi(options.project), { ...options, bucket }));
}

/**
 * The active generation and the subscription that it reads; undefined for a dataset without numbers. After a rebuild nobody reads the
 * subscription of generation 1, so that one would only collect messages.
 */
async function activeSubscription(
  bigquery: BigQuery,
  { dataset, subscription }: SetupOptions,
): Promise<PubSubSetup["active"]> {
  const table = await existingTable(bigquery, dataset, generationsTable);
  const columns = (table?.schema as { fields?: { name?: string }[] } | undefined)?.fields;
  // The table of an earlier release has no subscriptions. The steps of BigQuery report it.
  if (!columns?.some(({ name }) => name === "replay_subscription")) return undefined;
  const active = await readActiveGeneration(bigquery, dataset);
  if (!active) return undefined;
  const { generation } = active;
  return { generation, subscription: active.subscription ?? liveSubscription(subscription, generation) };
}
