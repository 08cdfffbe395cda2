import type { BigQuery, Dataset, TableMetadata } from "@google-cloud/bigquery";
import { createUnlessThere, type SetupStep } from "../setupStep";
import { runQuery } from "./query";
import { tables, type Table } from "./tables";
import { tableReference, views, type View } from "./views";

const ALREADY_EXISTS = 409;

const create = (make: () => Promise<unknown>) => createUnlessThere(make, ALREADY_EXISTS);

function tableMetadata(table: Table): TableMetadata {
  return {
    description: table.description,
    schema: { fields: table.columns.map((column) => ({ ...column })) },
    timePartitioning: { type: "DAY", field: table.partitionBy },
    ...(table.clusterBy && { clustering: { fields: [...table.clusterBy] } }),
  };
}

/** Adds columns that a table of an earlier release lacks; names what cannot be mended. */
async function addMissingColumns(bigquery: BigQuery, dataset: Dataset, table: Table): Promise<string[]> {
  const [metadata] = (await dataset.table(table.name).getMetadata()) as [TableMetadata, unknown];
  const fields = (typeof metadata.schema === "object" && "fields" in metadata.schema && metadata.schema.fields) || [];
  const present = new Map(fields.map((field) => [field.name, field.type]));
  const missing = table.columns.filter((column) => !present.has(column.name));
  const required = missing.filter((column) => column.mode === "REQUIRED").map((column) => column.name);
  if (required.length) {
    throw new Error(
      `Table ${table.name} lacks the required columns ${required.join(", ")}, which cannot be added to a table with ` +
        `rows. Is ${dataset.id} the dataset of something else? Choose another one (--dataset)`,
    );
  }
  if (missing.length) {
    // Twice, and the second time BigQuery finds nothing left to do but the descriptions: the emulator changes only the
    // table by DDL, and only the schema it shows by metadata.
    const reference = tableReference(bigquery.projectId, dataset.id as string, table.name);
    for (const { name, type } of missing) {
      await runQuery(bigquery, `ALTER TABLE ${reference} ADD COLUMN IF NOT EXISTS ${name} ${type}`);
    }
    const schema = { fields: [...fields, ...missing.map((column) => ({ ...column }))] };
    await dataset.table(table.name).setMetadata({ schema });
  }
  return missing.map((column) => column.name);
}

async function setUpTable(bigquery: BigQuery, dataset: Dataset, table: Table): Promise<SetupStep> {
  const outcome = await create(() => dataset.createTable(table.name, tableMetadata(table)));
  const step = { kind: "table", name: `${dataset.id}.${table.name}` } as const;
  if (outcome === "created") return { ...step, outcome };
  const added = await addMissingColumns(bigquery, dataset, table);
  return added.length ? { ...step, outcome: "updated", detail: `added ${added.join(", ")}` } : { ...step, outcome };
}

async function setUpView(bigquery: BigQuery, dataset: Dataset, view: View): Promise<SetupStep> {
  const query = view.query(bigquery.projectId, dataset.id as string).trim();
  const metadata = { description: view.description, view: { query, useLegacySql: false } };
  const step = { kind: "view", name: `${dataset.id}.${view.name}` } as const;
  const outcome = await create(() => dataset.createTable(view.name, metadata));
  if (outcome === "created") return { ...step, outcome };
  const table = dataset.table(view.name);
  const [present] = (await table.getMetadata()) as [TableMetadata, unknown];
  const presentQuery = typeof present.view === "object" ? present.view.query : undefined;
  if (presentQuery === query) return { ...step, outcome };
  await table.setMetadata({ view: metadata.view });
  // An emulator may not tell the query of a view; then nobody knows whether it changed.
  return { ...step, outcome: presentQuery === undefined ? "exists" : "updated" };
}

/**
 * Makes the dataset, its tables and its views, and adds columns that an earlier release did not have. Safe to repeat.
 * @param options.location where a new dataset is kept, such as `EU`; BigQuery's default when not given.
 * @throws Error of the BigQuery client, or an Error that names a table that cannot be mended.
 */
export async function setUpBigQuery(
  bigquery: BigQuery,
  { dataset: name, location }: { dataset: string; location?: string | undefined },
): Promise<SetupStep[]> {
  const dataset = bigquery.dataset(name);
  const outcome = await create(() => bigquery.createDataset(name, location === undefined ? {} : { location }));
  const steps: SetupStep[] = [{ kind: "dataset", name, outcome }];
  for (const table of tables) steps.push(await setUpTable(bigquery, dataset, table));
  for (const view of views) steps.push(await setUpView(bigquery, dataset, view));
  return steps;
}
