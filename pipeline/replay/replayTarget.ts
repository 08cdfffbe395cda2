import type { BigQuery } from "@google-cloud/bigquery";
import type { PubSub } from "@google-cloud/pubsub";
import { readActiveGeneration, readGeneration, isRunning } from "@eventlogger/gcp/bigquery/generations";
import { FIRST_GENERATION, type Generation } from "@eventlogger/gcp/bigquery/generations/generation";
import { checkSubscription } from "@eventlogger/gcp/pubsub/setup/checkSubscription";
import { replayNames, type TopicAndSubscription } from "@eventlogger/gcp/pubsub/replayNames";
import { UserError } from "@eventlogger/process/main";

/** Where events are replayed to. */
export interface ReplayTarget extends TopicAndSubscription {
  readonly generation: number;
  /** Why nothing may count the events for now; undefined: a pipeline reads them. */
  readonly warning: string | undefined;
}

export interface WantedTarget {
  readonly dataset: string;
  /** The topic and the subscription of generation 1, from which names are made that the generation lacks. */
  readonly names: TopicAndSubscription;
  /** Undefined: the active one. */
  readonly generation: number | undefined;
}

async function findGeneration(bigquery: BigQuery, { dataset, generation }: WantedTarget): Promise<Generation> {
  const found =
    generation === undefined
      ? await readActiveGeneration(bigquery, dataset)
      : await readGeneration(bigquery, dataset, generation);
  if (found?.status === "retired") {
    throw new UserError(`Generation ${generation} of dataset ${dataset} is retired: nothing computes it any more`);
  }
  if (found) return found;
  throw new UserError(
    generation === undefined
      ? `Dataset ${dataset} has no generation yet. The first start of the pipeline creates it: start eventlogger run or eventlogger launch`
      : `Dataset ${dataset} has no generation ${generation}`,
  );
}

/** Without a lease there is no run on Flink. A job on Dataflow holds none. */
function readerWarning({ generation, lease, job }: Generation, subscription: string): string | undefined {
  if (isRunning({ lease }) || job?.runner === "dataflow") return undefined;
  return (
    `no run computes generation ${generation} now. The messages wait in subscription ${subscription}, for 7 days unless it was set ` +
    "up otherwise, until eventlogger run reads them"
  );
}

/**
 * Finds the replay topic of a generation, and checks that a pipeline can read it.
 * @throws UserError that says what to do, before anything is published
 */
export async function findReplayTarget(
  bigquery: BigQuery,
  pubsub: PubSub,
  wanted: WantedTarget,
): Promise<ReplayTarget> {
  const found = await findGeneration(bigquery, wanted);
  const { generation } = found;
  const made = replayNames(wanted.names, generation);
  const { topic, subscription } = {
    topic: found.replayTopic ?? made.topic,
    subscription: found.replaySubscription ?? made.subscription,
  };
  const { problems } = await checkSubscription(pubsub, subscription);
  if (problems.length) {
    const lost = "Without it, the pipeline of the generation gets nothing of a replay";
    const hint = generation === FIRST_GENERATION ? "" : `. eventlogger rebuild creates it for generation ${generation}`;
    throw new UserError(`${problems.join("\n")}\n${lost}${hint}`);
  }
  return { generation, topic, subscription, warning: readerWarning(found, subscription) };
}
