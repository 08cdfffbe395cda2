import type { BigQuery } from "@google-cloud/bigquery";
import type { Generation } from "@eventlogger/gcp/bigquery/generations";
import { newSettings, requireDefinitions, type WantedDefinitions } from "../definitions";
import { activeGeneration, requireBeginning, unfinished } from "../rebuild";
import { recordOf, type RebuildRecord } from "../record";
import type { RebuildServices } from "../services";
import { rebuildPlan, type RebuildPlan } from "./plan";
import { queryBytes } from "./queryBytes";

export interface PlannedRebuild {
  readonly active: Generation;
  readonly next: Pick<Generation, "generation" | "settings">;
  /** Where an unfinished rebuild would go on; undefined: a new one would begin. */
  readonly phase: RebuildRecord["phase"] | undefined;
  readonly plan: RebuildPlan;
}

/**
 * What a rebuild would read and send. Changes nothing.
 * @throws the errors with which the rebuild would be refused
 */
export async function planRebuild(
  services: RebuildServices,
  wanted: WantedDefinitions,
  { bigquery, dataset }: { readonly bigquery: BigQuery; readonly dataset: string },
): Promise<PlannedRebuild> {
  const generations = await services.store.list();
  const active = activeGeneration(generations);
  const open = unfinished(generations);
  const record = open && recordOf(open);
  if (open && record) requireDefinitions(open, record, wanted);
  else await requireBeginning(services, generations, active, wanted);
  const from = record ? record.from : wanted.from;
  const selection = from === null || from === undefined ? {} : { receivedFrom: from };
  const counts = await services.rows.count(selection);
  const left = counts.filter(({ partition, rows }) => record?.replayed[partition] !== rows);
  const bytes = await queryBytes(bigquery, dataset, {
    ...selection,
    partitions: left.map(({ partition }) => partition),
  });
  const id = Math.max(...generations.map(({ generation }) => generation)) + 1;
  const { shardHashSecret, stateFormat = 1 } = active.settings;
  const settings = newSettings(active.settings, wanted, { shardHashSecret: shardHashSecret ?? "", stateFormat });
  return {
    active,
    next: open ?? { generation: id, settings },
    phase: record?.phase,
    plan: rebuildPlan(left, bytes),
  };
}
