import type { Generation } from "@eventlogger/gcp/bigquery/generations";
import { liveSubscriptionOf, type RebuildReporter } from "./context";
import { recordOf } from "./record";
import { activeGeneration, RebuildRefusedError, unfinished } from "./rebuild";
import { REBUILD_TIMES, type RebuildServices, type RebuildTimes } from "./services";
import { RebuildSession } from "./session";

export interface AbortResult {
  readonly generation: number;
  /** Whether the removed generation has read messages that the active one will not get. */
  readonly tookOver: boolean;
}

/**
 * Removes a generation that is being built: its pipeline, subscriptions, replay topic and state. The active generation stays as it was. An
 * abort that was interrupted goes on. Also removes a generation that was kept for a comparison.
 * @throws RebuildRefusedError, RebuildRunningError; Error of BigQuery, Pub/Sub or the runner
 */
export async function abortRebuild({
  services,
  report,
  signal,
  times: given,
}: {
  readonly services: RebuildServices;
  readonly report: RebuildReporter;
  /** Ends the work when a person stops the command. */
  readonly signal: AbortSignal;
  readonly times?: Partial<RebuildTimes>;
}): Promise<AbortResult> {
  const times = { ...REBUILD_TIMES, ...given };
  const generations = await services.store.list();
  const active = activeGeneration(generations);
  const open = unfinished(generations);
  if (!open) {
    const kept = generations.find(({ status }) => status === "building");
    if (!kept) throw new RebuildRefusedError("No rebuild is unfinished, so that there is nothing to abort");
    report.phase("aborting");
    await remove(services, kept, active, report, signal);
    return { generation: kept.generation, tookOver: false };
  }
  const { generation } = open;
  if (open.status === "active") {
    throw new RebuildRefusedError(
      `Generation ${generation} is active already: readers see its numbers. Finish the rebuild: \`eventlogger rebuild\``,
    );
  }
  const tookOver = recordOf(open)?.takeOver ?? false;
  const session = await RebuildSession.open(services.store, times, open);
  try {
    report.phase("aborting");
    await session.update({ phase: "aborting" });
    await remove(services, open, active, report, AbortSignal.any([signal, session.lost]));
    await session.finish();
    return { generation, tookOver };
  } finally {
    await services.driver.close();
    await session.close();
  }
}

/** Every step is safe to repeat. */
async function remove(
  { driver, store, resources }: RebuildServices,
  generation: Generation,
  active: Generation,
  report: RebuildReporter,
  signal: AbortSignal,
): Promise<void> {
  report.doing("stopping its pipeline");
  await driver.stop(generation);
  // A run of it that a person has started stops when its generation is retired.
  await store.retire(generation.generation);
  await driver.end(generation, signal);
  report.doing("removing its subscriptions and its replay topic");
  const subscription = liveSubscriptionOf(resources, generation);
  // With --take-over it is that of the active generation.
  if (subscription !== liveSubscriptionOf(resources, active)) await resources.deleteLive(subscription);
  await resources.deleteReplay(generation);
  report.doing("removing its state");
  await driver.removeState(generation);
}
