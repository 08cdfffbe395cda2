import type { BigQuery } from "@google-cloud/bigquery";
import { withPermission } from "../api/permission";
import { runChange, runQuery, type ResultRow } from "./query";
import { generationsTable } from "./tables";
import { tableReference } from "./views";

/** The settings that the numbers of a dataset and the pipeline state depend on. */
export interface GenerationSettings {
  readonly sessionGapMs: number;
  /** Key of the hash of users and sessions in the keys of state: 32 hexadecimal digits. Undefined: recorded by an earlier release. */
  readonly shardHashSecret?: string;
  /** Number of the format of the state, and so of what its keys are. Undefined: recorded by a release with format 1. */
  readonly stateFormat?: number;
}

/** One set of definitions of the numbers. */
export interface Generation {
  readonly generation: number;
  readonly settings: GenerationSettings;
}

/** The id of the only generation so far. */
export const FIRST_GENERATION = 1;

/** The run has other settings than the dataset. Start it with the settings of the dataset. */
export class GenerationSettingsError extends Error {
  constructor(dataset: string, differences: readonly string[]) {
    super(
      `The numbers in dataset ${dataset} were made with other settings: ${differences.join("; ")}. ` +
        "Use the settings of the dataset, or choose another dataset (--dataset)",
    );
    this.name = "GenerationSettingsError";
  }
}

/** The quoted, fully qualified name of the table `generations`, for SQL. */
export function generationsReference(bigquery: BigQuery, dataset: string): string {
  return tableReference(bigquery.projectId, dataset, generationsTable.name);
}

function withUpdatePermission<T>(bigquery: BigQuery, dataset: string, call: () => Promise<T>): Promise<T> {
  const need = {
    project: bigquery.projectId,
    permission: "bigquery.jobs.create or bigquery.tables.updateData",
    resource: `table ${dataset}.${generationsTable.name}`,
  };
  return withPermission(need, call);
}

type Params = Readonly<Record<string, string | number>>;

/** Runs a query of the table `generations`. @throws Error that names the missing permission, or the client's error */
export function queryGenerations(
  bigquery: BigQuery,
  dataset: string,
  sql: string,
  params?: Params,
): Promise<ResultRow[]> {
  return withUpdatePermission(bigquery, dataset, () => runQuery(bigquery, sql, params));
}

/**
 * Runs a statement that changes the table `generations`.
 * @returns the number of changed rows
 * @throws Error that names the missing permission, or the client's error
 */
export function changeGenerations(bigquery: BigQuery, dataset: string, sql: string, params?: Params): Promise<number> {
  return withUpdatePermission(bigquery, dataset, () => runChange(bigquery, sql, params));
}

/**
 * Reads the generation whose numbers readers see; undefined for a dataset of an earlier release, and for a new one.
 * Two runs that create the first generation at the same moment can leave two rows; the older row is valid.
 * @throws Error that names the missing permission, or the client's error
 */
export async function readActiveGeneration(bigquery: BigQuery, dataset: string): Promise<Generation | undefined> {
  const [row] = await queryGenerations(
    bigquery,
    dataset,
    `SELECT generation, settings FROM ${generationsReference(bigquery, dataset)}
     WHERE status = 'active' ORDER BY created_at, settings LIMIT 1`,
  );
  return row && { generation: row.number("generation"), settings: parseSettings(dataset, row.text("settings")) };
}

/** @throws Error without the text, which contains the secret of the hash in the keys of state */
function parseSettings(dataset: string, text: string): GenerationSettings {
  try {
    return JSON.parse(text) as GenerationSettings;
  } catch {
    throw new Error(`The settings of dataset ${dataset}, in its table ${generationsTable.name}, are not JSON`);
  }
}

/**
 * Records the settings as the first generation, unless the dataset has an active generation.
 * @returns the active generation, which can have other settings
 * @throws Error that names the missing permission, or the client's error
 */
export async function recordGeneration(
  bigquery: BigQuery,
  dataset: string,
  settings: GenerationSettings,
): Promise<Generation> {
  const known = await readActiveGeneration(bigquery, dataset);
  if (known) return known;
  const table = generationsReference(bigquery, dataset);
  await changeGenerations(
    bigquery,
    dataset,
    `INSERT INTO ${table} (generation, status, settings, created_at)
     SELECT ${FIRST_GENERATION}, 'active', @settings, CURRENT_TIMESTAMP()
     FROM (SELECT 1) WHERE NOT EXISTS (SELECT 1 FROM ${table} WHERE status = 'active')`,
    { settings: JSON.stringify(settings) },
  );
  const recorded = await readActiveGeneration(bigquery, dataset);
  if (!recorded) throw new Error(`Table ${dataset}.${generationsTable.name} has no row after it was inserted`);
  return recorded;
}

/** Replaces the settings of the active generation. Only for a run that starts with empty state and holds the lease. */
export async function replaceGenerationSettings(
  bigquery: BigQuery,
  dataset: string,
  settings: GenerationSettings,
): Promise<void> {
  await changeGenerations(
    bigquery,
    dataset,
    `UPDATE ${generationsReference(bigquery, dataset)} SET settings = @settings WHERE status = 'active'`,
    { settings: JSON.stringify(settings) },
  );
}

const seconds = (ms: number): string => `${ms / 1000} s`;

/**
 * Checks that a run has the settings of the dataset. The secret of the hash is not compared: a run uses that of the dataset.
 * @throws GenerationSettingsError that names both values of each setting that differs
 */
export function requireGenerationSettings(
  dataset: string,
  { settings: recorded }: Generation,
  wanted: GenerationSettings,
): void {
  const differences: string[] = [];
  if (recorded.sessionGapMs !== wanted.sessionGapMs) {
    const gaps = [recorded, wanted].map(({ sessionGapMs }) => seconds(sessionGapMs));
    differences.push(`the session gap is ${gaps[0]} in the dataset, but ${gaps[1]} in this run (--session-gap)`);
  }
  const formats = [recorded, wanted].map(({ stateFormat = 1 }) => stateFormat);
  if (formats[0] !== formats[1]) {
    differences.push(
      `the state has format ${formats[0]} in the dataset, but this release reads format ${formats[1]}, so it needs empty state`,
    );
  }
  if (differences.length) throw new GenerationSettingsError(dataset, differences);
}
