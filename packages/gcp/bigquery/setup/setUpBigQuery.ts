import type { BigQuery, Dataset, TableMetadata } from "@google-cloud/bigquery";
import { withPermission } from "../../api/permission";
import { createUnlessThere, existing, type SetupStep } from "../../setup/setupStep";
import { checkColumns, columnProblems } from "./columns";
import { runQuery } from "../query";
import { tables, type Column, type Table } from "../tables";
import { tableReference, views, type View } from "../views";

const ALREADY_EXISTS = 409;

/** A call that names the permission it needs when it is missing. */
function allowed<T>(bigquery: BigQuery, permission: string, resource: string, call: () => Promise<T>): Promise<T> {
  return withPermission({ project: bigquery.projectId, permission, resource }, call);
}

function create(
  bigquery: BigQuery,
  permission: string,
  resource: string,
  make: () => Promise<unknown>,
): Promise<"created" | "exists"> {
  return allowed(bigquery, permission, resource, () => createUnlessThere(make, ALREADY_EXISTS));
}

function tableMetadata(table: Table): TableMetadata {
  return {
    description: table.description,
    schema: { fields: table.columns.map((column) => ({ ...column })) },
    timePartitioning: { type: "DAY", field: table.partitionBy },
    ...(table.clusterBy && { clustering: { fields: [...table.clusterBy] } }),
  };
}

/** Adds columns to a table that is there. */
async function addColumns(
  bigquery: BigQuery,
  dataset: Dataset,
  table: Table,
  metadata: TableMetadata,
  missing: readonly Column[],
): Promise<void> {
  // Twice, and the second time BigQuery finds nothing left to do but the descriptions: the emulator changes only the
  // table by DDL, and only the schema it shows by metadata.
  const reference = tableReference(bigquery.projectId, dataset.id as string, table.name);
  for (const { name, type } of missing) {
    await runQuery(bigquery, `ALTER TABLE ${reference} ADD COLUMN IF NOT EXISTS ${name} ${type}`);
  }
  const present = (typeof metadata.schema === "object" && "fields" in metadata.schema && metadata.schema.fields) || [];
  const schema = { fields: [...present, ...missing.map((column) => ({ ...column }))] };
  await dataset.table(table.name).setMetadata({ schema });
}

/** How a table that is there is laid out, where that is not as it would be made now. BigQuery cannot change it in place. */
function layoutDifferences(metadata: TableMetadata, { partitionBy, clusterBy = [] }: Table): string[] {
  const differences: string[] = [];
  const partitioning = metadata.timePartitioning;
  if (partitioning?.type !== "DAY" || partitioning.field !== partitionBy) {
    differences.push(`not partitioned by the day of ${partitionBy}, so queries of some days read everything`);
  }
  const clustering = metadata.clustering?.fields ?? [];
  if (clustering.join() !== clusterBy.join()) differences.push(`not clustered by ${clusterBy.join(", ") || "nothing"}`);
  return differences;
}

async function setUpTable(bigquery: BigQuery, dataset: Dataset, table: Table): Promise<SetupStep> {
  const name = `${dataset.id}.${table.name}`;
  const step = { kind: "table", name } as const;
  const outcome = await create(bigquery, "bigquery.tables.create", `table ${name}`, () =>
    dataset.createTable(table.name, tableMetadata(table)),
  );
  if (outcome === "created") return { ...step, outcome };
  const [metadata] = (await allowed(bigquery, "bigquery.tables.get", `table ${name}`, () =>
    dataset.table(table.name).getMetadata(),
  )) as [TableMetadata, unknown];
  const check = checkColumns(metadata, table);
  const required = check.missing.filter((column) => column.mode === "REQUIRED");
  const problems = columnProblems(name, { ...check, missing: required });
  if (problems.length) {
    throw new Error(
      `${problems.join(". ")}. That cannot be mended in a table with rows. ` +
        `Is ${dataset.id} the dataset of something else? Choose another one (--dataset)`,
    );
  }
  if (check.missing.length) {
    await allowed(bigquery, "bigquery.tables.update", `table ${name}`, () =>
      addColumns(bigquery, dataset, table, metadata, check.missing),
    );
  }
  const added = check.missing.map((column) => column.name).join(", ");
  return existing(step, {
    updated: added ? [`added ${added}`] : [],
    differences: layoutDifferences(metadata, table),
  });
}

async function setUpView(bigquery: BigQuery, dataset: Dataset, view: View): Promise<SetupStep> {
  const name = `${dataset.id}.${view.name}`;
  const query = view.query(bigquery.projectId, dataset.id as string).trim();
  const metadata = { description: view.description, view: { query, useLegacySql: false } };
  const step = { kind: "view", name } as const;
  const outcome = await create(bigquery, "bigquery.tables.create", `view ${name}`, () =>
    dataset.createTable(view.name, metadata),
  );
  if (outcome === "created") return { ...step, outcome };
  const table = dataset.table(view.name);
  const [present] = (await allowed(bigquery, "bigquery.tables.get", `view ${name}`, () => table.getMetadata())) as [
    TableMetadata,
    unknown,
  ];
  const presentQuery = typeof present.view === "object" ? present.view.query : undefined;
  if (presentQuery === query) return existing(step);
  await allowed(bigquery, "bigquery.tables.update", `view ${name}`, () => table.setMetadata({ view: metadata.view }));
  // An emulator may not tell the query of a view; then nobody knows whether it changed.
  return existing(step, { updated: presentQuery === undefined ? [] : ["new query"] });
}

async function setUpDataset(bigquery: BigQuery, dataset: Dataset, location: string | undefined): Promise<SetupStep> {
  const name = dataset.id as string;
  const step = { kind: "dataset", name } as const;
  const outcome = await create(bigquery, "bigquery.datasets.create", `dataset ${name}`, () =>
    bigquery.createDataset(name, location === undefined ? {} : { location }),
  );
  if (outcome === "created") return { ...step, outcome, ...(location !== undefined && { detail: `in ${location}` }) };
  if (location === undefined) return existing(step);
  const [metadata] = (await allowed(bigquery, "bigquery.datasets.get", `dataset ${name}`, () =>
    dataset.getMetadata(),
  )) as [{ location?: string }, unknown];
  const there = metadata.location;
  const differs = there !== undefined && there.toLowerCase() !== location.toLowerCase();
  return existing(step, { differences: differs ? [`kept in ${there}, which cannot be changed`] : [] });
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
  const steps = [await setUpDataset(bigquery, dataset, location)];
  for (const table of tables) steps.push(await setUpTable(bigquery, dataset, table));
  for (const view of views) steps.push(await setUpView(bigquery, dataset, view));
  return steps;
}
