import { bigQueryClient } from "../bigquery/client";
import { setUpBigQuery } from "../bigquery/setup/setUpBigQuery";
import type { RetentionSetting } from "../bigquery/setup/setUpRetention";
import { GoogleApi } from "../api/googleApi";
import { pubSubClient } from "../pubsub/client";
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
}

/**
 * Creates all resources of the pipeline and the ingest service: schema, topics, subscriptions, dataset, tables, views,
 * bucket. Safe to repeat.
 * @param onStep called after each resource
 * @throws Error that names the missing permission, or a resource that exists and cannot be used
 */
export async function setUpResources(options: SetupOptions, onStep: (step: SetupStep) => void): Promise<void> {
  const pubsub = pubSubClient(options);
  try {
    for (const step of await setUpPubSub(pubsub, options)) onStep(step);
  } finally {
    await pubsub.close();
  }
  const bigquery = bigQueryClient({ project: options.project, endpoint: options.bigqueryEndpoint });
  for (const step of await setUpBigQuery(bigquery, options)) onStep(step);
  const { bucket } = options;
  if (bucket !== undefined) onStep(await setUpBucket(new GoogleApi(options.project), { ...options, bucket }));
}
