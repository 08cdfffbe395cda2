import type { BigQuery, Dataset, TableMetadata } from "@google-cloud/bigquery";
import { needsOn, withPermission } from "../../api/permission";
import { createUnlessExists } from "../../setup/createUnlessExists";
import { existing, type SetupStep } from "../../setup/setupStep";
import { checkColumns, columnProblems, generationRemedy, partitioningProblem, REPARTITION } from "./columns";
import { describeColumns, describedFields, describedText, fieldsOf } from "./describeColumns";
import { existingTable } from "./existingTable";
import { isGoogleService } from "../client";
import { describeRetention, eventRetention } from "../retention/eventRetention";
import { runQuery } from "../query";
import {
  anonymousActivityTable,
  dailyBreakdownsTable,
  dailyRollupVersionsTable,
  eventsTable,
  generationsTable,
  hourlyEventsTable,
  tables,
  weeklyRetentionVersionsTable,
  type Column,
  type Table,
} from "../tables";
import { tableReference, views } from "../views";
import { describeNewRetention, newExpiration, setUpRetention, type RetentionSetting } from "./setUpRetention";
import { setUpMaterializedView, setUpView } from "./setUpViews";

function tableMetadata(table: Table, retention: RetentionSetting | undefined): TableMetadata {
  return {
    description: table.description,
    schema: { fields: table.columns.map((column) => ({ ...column })) },
    timePartitioning: { type: "DAY", field: table.partitionBy, ...newExpiration(table, retention) },
    ...(table.clusterBy && { clustering: { fields: [...table.clusterBy] } }),
  };
}

/** The descriptions of the columns of a table by their names. */
const descriptionsOf = ({ columns }: Table): Readonly<Record<string, string>> =>
  Object.fromEntries(columns.map(({ name, description }) => [name, description]));

/** Adds columns to an existing table, and describes the others. */
async function addColumns(
  bigquery: BigQuery,
  dataset: Dataset,
  table: Table,
  metadata: TableMetadata,
  missing: readonly Column[],
): Promise<void> {
  // In two ways, because of the emulator: there, DDL changes only the table, and metadata only the reported schema. On
  // BigQuery the second request adds only the descriptions.
  const reference = tableReference(bigquery.projectId, dataset.id as string, table.name);
  for (const { name, type } of missing) {
    await runQuery(bigquery, `ALTER TABLE ${reference} ADD COLUMN IF NOT EXISTS ${name} ${type}`);
  }
  const present = describedFields(fieldsOf(metadata), descriptionsOf(table));
  const schema = { fields: [...present, ...missing.map((column) => ({ ...column }))] };
  await dataset.table(table.name).setMetadata({ schema });
}

/** Tables of which the numbers need all rows. */
const KEPT_TABLES: readonly Table[] = [
  dailyRollupVersionsTable,
  weeklyRetentionVersionsTable,
  generationsTable,
  dailyBreakdownsTable,
  hourlyEventsTable,
  anonymousActivityTable,
];

/** How the layout of an existing table differs from that of a new one. BigQuery cannot change a layout in place. */
function layoutDifferences(metadata: TableMetadata, table: Table): string[] {
  const { partitionBy, clusterBy = [] } = table;
  const differences: string[] = [];
  const partitioning = metadata.timePartitioning;
  if (partitioning?.type !== "DAY" || partitioning.field !== partitionBy) {
    differences.push(
      `not partitioned by the day of ${partitionBy}, so that queries over a few days read the whole table`,
    );
  }
  const clustering = metadata.clustering?.fields ?? [];
  if (clustering.join() !== clusterBy.join()) differences.push(`not clustered by ${clusterBy.join(", ") || "nothing"}`);
  const { expirationMs } = eventRetention(metadata);
  if (expirationMs !== undefined && KEPT_TABLES.includes(table)) {
    // A new table gets the default of its dataset, so nobody may have wanted this.
    differences.push(
      `rows are deleted ${describeRetention(expirationMs)} after they were written, but the numbers need all of them`,
    );
  }
  return differences;
}

/** The problems with the partitioning of the existing tables. */
async function partitioningProblems(bigquery: BigQuery, dataset: string): Promise<string[]> {
  const problems = tables.map(async (table) => {
    const metadata = await existingTable(bigquery, dataset, table);
    return metadata && partitioningProblem(`${dataset}.${table.name}`, metadata, table);
  });
  return (await Promise.all(problems)).filter((problem) => problem !== undefined);
}

async function setUpTable(
  bigquery: BigQuery,
  dataset: Dataset,
  table: Table,
  retention: RetentionSetting | undefined,
): Promise<SetupStep> {
  const name = `${dataset.id}.${table.name}`;
  const need = needsOn(bigquery.projectId, `table ${name}`);
  const step = { kind: "table", name } as const;
  const outcome = await createUnlessExists(need("bigquery.tables.create"), () =>
    dataset.createTable(table.name, tableMetadata(table, retention)),
  );
  if (outcome === "created") {
    const detail = describeNewRetention(table, retention);
    return { ...step, outcome, ...(detail !== undefined && { detail }) };
  }
  const [metadata] = (await withPermission(need("bigquery.tables.get"), () =>
    dataset.table(table.name).getMetadata(),
  )) as [TableMetadata, unknown];
  if (partitioningProblem(name, metadata, table) !== undefined) {
    throw new Error([...(await partitioningProblems(bigquery, dataset.id as string)), REPARTITION].join(". "));
  }
  const check = checkColumns(metadata, table);
  const required = check.missing.filter((column) => column.mode === "REQUIRED");
  const problems = columnProblems(name, { ...check, missing: required });
  if (problems.length) {
    const remedy = generationRemedy(dataset.id as string, table, check);
    if (remedy !== undefined) throw new Error(`${problems.join(". ")}. ${remedy}`);
    throw new Error(
      `${problems.join(". ")}. BigQuery cannot change this in a table with rows. ` +
        `If dataset ${dataset.id} belongs to something else, choose another one (--dataset)`,
    );
  }
  const described = await withPermission(need("bigquery.tables.update"), async () => {
    if (!check.missing.length) return describeColumns(dataset, table.name, metadata, descriptionsOf(table));
    await addColumns(bigquery, dataset, table, metadata, check.missing);
    return 0;
  });
  const added = check.missing.map((column) => column.name).join(", ");
  const kept = table === eventsTable ? await setUpRetention(bigquery, dataset, metadata, retention) : undefined;
  return existing(step, {
    updated: [...(added ? [`added ${added}`] : describedText(described)), ...(kept?.updated ?? [])],
    differences: layoutDifferences(metadata, table),
    detail: kept?.detail,
  });
}

async function setUpDataset(bigquery: BigQuery, dataset: Dataset, location: string | undefined): Promise<SetupStep> {
  const name = dataset.id as string;
  const need = needsOn(bigquery.projectId, `dataset ${name}`);
  const step = { kind: "dataset", name } as const;
  const outcome = await createUnlessExists(need("bigquery.datasets.create"), () =>
    bigquery.createDataset(name, location === undefined ? {} : { location }),
  );
  if (outcome === "created") return { ...step, outcome, ...(location !== undefined && { detail: `in ${location}` }) };
  if (location === undefined) return existing(step);
  const [metadata] = (await withPermission(need("bigquery.datasets.get"), () => dataset.getMetadata())) as [
    { location?: string },
    unknown,
  ];
  const present = metadata.location;
  const differs = present !== undefined && present.toLowerCase() !== location.toLowerCase();
  return existing(step, { differences: differs ? [`located in ${present}, which cannot be changed`] : [] });
}

/**
 * Creates the dataset, its tables and its views, and adds columns that an earlier release did not have. Safe to repeat.
 * @param options.location location of a new dataset, such as `EU`; undefined: BigQuery's default
 * @param options.eventRetention days after which rows of `events` are deleted; `none`: never. Undefined: as it is, never for a new table
 * @param options.materializedViews whether the service supports them. @default true for Google's service, false for emulators
 * @throws Error that names a table that cannot be updated, or the missing permission; otherwise the client's error
 */
export async function setUpBigQuery(
  bigquery: BigQuery,
  {
    dataset: name,
    location,
    eventRetention,
    materializedViews = isGoogleService(bigquery),
  }: {
    dataset: string;
    location?: string | undefined;
    eventRetention?: RetentionSetting | undefined;
    materializedViews?: boolean;
  },
): Promise<SetupStep[]> {
  const dataset = bigquery.dataset(name);
  const steps = [await setUpDataset(bigquery, dataset, location)];
  for (const table of tables) steps.push(await setUpTable(bigquery, dataset, table, eventRetention));
  const isNew = (table: Table): boolean =>
    steps.some((step) => step.name === `${name}.${table.name}` && step.outcome === "created");
  for (const view of views) {
    const { materializedFrom: base } = view;
    steps.push(
      base !== undefined && materializedViews
        ? await setUpMaterializedView(bigquery, dataset, view, { recreate: isNew(base) })
        : await setUpView(bigquery, dataset, view),
    );
  }
  return steps;
}
