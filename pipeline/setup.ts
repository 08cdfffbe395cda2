import { bigQueryClient } from "./bigquery/client";
import { setUpBigQuery } from "./bigquery/setup";
import { pubSubClient } from "./pubsub/client";
import { setUpPubSub } from "./pubsub/setup";
import type { SetupStep } from "./setupStep";

export interface SetupOptions {
  readonly project: string;
  readonly topic: string;
  readonly subscription: string;
  readonly dataset: string;
  /** A BigQuery emulator. A Pub/Sub emulator is named by the variable PUBSUB_EMULATOR_HOST. */
  readonly bigqueryEndpoint?: string | undefined;
  /** Where a new dataset is kept, such as `EU`. */
  readonly location?: string | undefined;
}

/**
 * Makes everything the pipeline and the ingest service expect to find: topic, subscription, dataset, tables, views. Safe
 * to repeat.
 * @returns what was made and what was there, in the order of doing.
 */
export async function setUp(options: SetupOptions): Promise<SetupStep[]> {
  const pubsub = pubSubClient(options);
  try {
    const steps = await setUpPubSub(pubsub, options);
    const bigquery = bigQueryClient({ project: options.project, endpoint: options.bigqueryEndpoint });
    return [...steps, ...(await setUpBigQuery(bigquery, options))];
  } finally {
    await pubsub.close();
  }
}
