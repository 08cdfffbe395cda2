import type { BigQuery } from "@google-cloud/bigquery";
import type { ResultRow } from "../query";
import { generationsTable } from "../tables";
import {
  GENERATION_STATUSES,
  type Generation,
  type GenerationJob,
  type GenerationSettings,
  type LeaseHolder,
  type StateLabels,
} from "./generation";
import { generationsReference, queryGenerations } from "./statements";

const STATUSES = GENERATION_STATUSES.map((status) => `'${status}'`).join(", ");

/**
 * Reads the generations of a dataset in ascending order; empty for a new dataset.
 * @throws Error that names the missing permission, or the client's error
 */
export async function readGenerations(bigquery: BigQuery, dataset: string): Promise<Generation[]> {
  return readWhere(bigquery, dataset, `status IN (${STATUSES})`);
}

/** Reads a generation; undefined when it does not exist. @throws as {@link readGenerations} */
export async function readGeneration(
  bigquery: BigQuery,
  dataset: string,
  generation: number,
): Promise<Generation | undefined> {
  const [found] = await readWhere(bigquery, dataset, `status IN (${STATUSES}) AND generation = @generation`, {
    generation,
  });
  return found;
}

/**
 * Reads the generation whose numbers readers see; undefined for a new dataset.
 * @throws as {@link readGenerations}
 */
export async function readActiveGeneration(bigquery: BigQuery, dataset: string): Promise<Generation | undefined> {
  const [found] = await readWhere(bigquery, dataset, "status = 'active'");
  return found;
}

async function readWhere(
  bigquery: BigQuery,
  dataset: string,
  condition: string,
  params?: Readonly<Record<string, number>>,
): Promise<Generation[]> {
  const rows = await queryGenerations(
    bigquery,
    dataset,
    `SELECT generation, status, settings, created_at, activated_at, retired_at, subscription, replay_topic,
       replay_subscription, job, rebuild, state, state_run, state_checkpoint, lease_run, lease_holder, lease_taken_at,
       lease_expires_at, TIMESTAMP_DIFF(lease_expires_at, CURRENT_TIMESTAMP(), MILLISECOND) AS lease_left_ms
     FROM ${generationsReference(bigquery, dataset)} WHERE ${condition} ORDER BY generation, created_at`,
    params,
  );
  return rows.map((row) => generationOf(dataset, row));
}

function generationOf(dataset: string, row: ResultRow): Generation {
  const json = (column: string): unknown => {
    const text = row.textOrNull(column);
    return text === null ? null : parseJson(dataset, column, text);
  };
  const time = (column: string): string | null => row.timeOrNull(column);
  const status = GENERATION_STATUSES.find((known) => known === row.text("status"));
  if (!status)
    throw new Error(`Table ${dataset}.${generationsTable.name} has the unknown status ${row.text("status")}`);
  return {
    generation: row.number("generation"),
    status,
    settings: parseJson(dataset, "settings", row.text("settings")) as GenerationSettings,
    createdAt: time("created_at") as string,
    activatedAt: time("activated_at"),
    retiredAt: time("retired_at"),
    subscription: row.textOrNull("subscription"),
    replayTopic: row.textOrNull("replay_topic"),
    replaySubscription: row.textOrNull("replay_subscription"),
    job: json("job") as GenerationJob | null,
    rebuild: json("rebuild"),
    state: stateOf(row),
    lease: leaseOf(row, time),
  };
}

function stateOf(row: ResultRow): StateLabels | null {
  const state = row.textOrNull("state");
  if (state === null) return null;
  return { state, run: row.number("state_run"), checkpoint: row.number("state_checkpoint") };
}

function leaseOf(row: ResultRow, time: (column: string) => string | null): LeaseHolder | null {
  const run = row.textOrNull("lease_run");
  const [takenAt, expiresAt] = [time("lease_taken_at"), time("lease_expires_at")];
  if (run === null || takenAt === null || expiresAt === null) return null;
  return { run, holder: row.textOrNull("lease_holder") ?? "", takenAt, expiresAt, leftMs: row.number("lease_left_ms") };
}

/** @throws Error without the text: the settings contain the secret of the hash in the keys of state */
function parseJson(dataset: string, column: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Error(`Column ${column} of a row in table ${dataset}.${generationsTable.name} is not JSON`);
  }
}
