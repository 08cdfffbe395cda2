import type { BigQuery } from "@google-cloud/bigquery";
import { FIRST_GENERATION } from "@eventlogger/gcp/bigquery/generations";
import { runQuery, type ResultRow } from "@eventlogger/gcp/bigquery/query";
import { checkTables } from "@eventlogger/gcp/bigquery/setup/checkTables";
import { checkTimeZone } from "@eventlogger/gcp/bigquery/zone/checkTimeZone";
import { mergeDiagnostics, NO_DIAGNOSTICS, type Diagnostics } from "@eventlogger/gcp/diagnostics";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { replaySubscription } from "@eventlogger/gcp/pubsub/replayNames";
import { checkSubscription } from "@eventlogger/gcp/pubsub/setup/checkSubscription";
import { chooseGeneration, type ChosenGeneration, type GenerationChoice } from "./chooseGeneration";

/**
 * Preflight checks of errors that would otherwise occur only in a worker.
 * @returns the generation that the run computes, and warnings
 * @throws Error with all problems; the errors of {@link chooseGeneration}
 */
export async function checkSourceAndSinks(
  bigquery: BigQuery,
  choice: GenerationChoice,
): Promise<{ readonly chosen: ChosenGeneration; readonly warnings: readonly string[] }> {
  const tables = await checkTables(bigquery, choice.dataset);
  const chosen = tables.problems.length ? undefined : await chooseGeneration(bigquery, choice);
  const { subscription } = choice;
  const subscriptions = chosen
    ? [chosen.subscription, chosen.replaySubscription]
    : [subscription, replaySubscription(subscription, FIRST_GENERATION)];
  const run = (sql: string): Promise<ResultRow[]> => runQuery(bigquery, sql);
  const found = mergeDiagnostics([
    await checkSubscriptions(choice.project, subscriptions),
    tables,
    chosen ? await checkTimeZone(run, chosen.timeZone) : NO_DIAGNOSTICS,
  ]);
  if (!chosen || found.problems.length) throw new Error(found.problems.join("\n"));
  return { chosen, warnings: found.warnings };
}

async function checkSubscriptions(project: string, subscriptions: readonly string[]): Promise<Diagnostics> {
  const pubsub = pubSubClient({ project });
  try {
    return mergeDiagnostics([
      NO_DIAGNOSTICS,
      ...(await Promise.all(subscriptions.map((name) => checkSubscription(pubsub, name)))),
    ]);
  } finally {
    await pubsub.close();
  }
}
