import { bigQueryClient } from "../bigquery/client";
import { setUpBigQuery } from "../bigquery/setup/setUpBigQuery";
import { GoogleApi } from "../api/googleApi";
import { pubSubClient } from "../pubsub/client";
import { setUpPubSub, type PubSubSetup } from "../pubsub/setup/setUpPubSub";
import type { SetupStep } from "./setupStep";
import { setUpBucket } from "../storage/setUpBucket";

export interface SetupOptions extends PubSubSetup {
  readonly project: string;
  readonly dataset: string;
  /** A BigQuery emulator. A Pub/Sub emulator is named by the variable PUBSUB_EMULATOR_HOST. */
  readonly bigqueryEndpoint?: string | undefined;
  /** Bucket for staged and temporary files of Dataflow jobs, its name alone; undefined: none is made. */
  readonly bucket?: string | undefined;
  /** Where a new dataset and a new bucket are kept, such as `EU`. */
  readonly location?: string | undefined;
}

/**
 * Makes everything the pipeline and the ingest service expect to find: schema, topics, subscriptions, dataset, tables,
 * views, bucket. Safe to repeat.
 * @param onStep told of each thing when it is done.
 * @throws Error that names a permission that is missing, or a thing that exists and cannot be used.
 */
export async function setUp(options: SetupOptions, onStep: (step: SetupStep) => void): Promise<void> {
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
