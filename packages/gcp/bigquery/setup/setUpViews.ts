import type { BigQuery, Dataset, TableMetadata } from "@google-cloud/bigquery";
import { isInvalidRequest } from "../../api/errorCode";
import { needsOn, withPermission, type Need } from "../../api/permission";
import { createUnlessExists } from "../../setup/createUnlessExists";
import { existing, type SetupStep } from "../../setup/setupStep";
import type { View } from "../views";
import { describeColumns, describedText } from "./describeColumns";

interface ViewSetup {
  readonly step: Pick<SetupStep, "kind" | "name">;
  readonly query: string;
  readonly need: (permission: string) => Need;
}

function viewSetup(bigquery: BigQuery, dataset: Dataset, view: View): ViewSetup {
  const name = `${dataset.id}.${view.name}`;
  return {
    step: { kind: "view", name },
    query: view.query(bigquery.projectId, dataset.id as string).trim(),
    need: needsOn(bigquery.projectId, `view ${name}`),
  };
}

async function viewMetadata(dataset: Dataset, view: View, need: ViewSetup["need"]): Promise<TableMetadata> {
  const [metadata] = (await withPermission(need("bigquery.tables.get"), () =>
    dataset.table(view.name).getMetadata(),
  )) as [TableMetadata, unknown];
  return metadata;
}

interface CreatedView {
  readonly outcome: "created" | "exists";
  /** As the service has answered. Without columns: it exists already, or the service does not report them. */
  readonly metadata: TableMetadata;
}

async function createView(
  dataset: Dataset,
  view: View,
  need: ViewSetup["need"],
  metadata: TableMetadata,
): Promise<CreatedView> {
  let answer: TableMetadata = {};
  const outcome = await createUnlessExists(need("bigquery.tables.create"), async () => {
    [, answer] = (await dataset.createTable(view.name, metadata)) as [unknown, TableMetadata];
  });
  return { outcome, metadata: answer };
}

/**
 * Gives the columns of a view their descriptions. BigQuery refuses a schema for a view that is created, and forgets the descriptions when
 * its query is replaced.
 */
async function describeView(
  dataset: Dataset,
  view: View,
  need: ViewSetup["need"],
  present: TableMetadata,
): Promise<number> {
  return withPermission(need("bigquery.tables.update"), () =>
    describeColumns(dataset, view.name, present, view.columns),
  );
}

/** Creates a view, or replaces the query of an existing one, and describes its columns. */
export async function setUpView(bigquery: BigQuery, dataset: Dataset, view: View): Promise<SetupStep> {
  const { step, query, need } = viewSetup(bigquery, dataset, view);
  const metadata = { description: view.description, view: { query, useLegacySql: false } };
  const created = await createView(dataset, view, need, metadata);
  if (created.outcome === "created") {
    await describeView(dataset, view, need, created.metadata);
    return { ...step, outcome: created.outcome };
  }
  const present = await viewMetadata(dataset, view, need);
  const presentQuery = typeof present.view === "object" ? present.view.query : undefined;
  if (presentQuery === query) {
    return existing(step, { updated: describedText(await describeView(dataset, view, need, present)) });
  }
  const [changed] = (await withPermission(need("bigquery.tables.update"), () =>
    dataset.table(view.name).setMetadata({ view: metadata.view }),
  )) as [TableMetadata];
  await describeView(dataset, view, need, changed);
  // Some emulators do not return the query of a view; then the change is unknown.
  return existing(step, { updated: presentQuery === undefined ? [] : ["new query"] });
}

/** As {@link describeView}; 0 when BigQuery refuses it, because the numbers of a materialized view do not depend on descriptions. */
async function describeMaterializedView(
  dataset: Dataset,
  view: View,
  need: ViewSetup["need"],
  present: TableMetadata,
): Promise<number> {
  try {
    return await describeView(dataset, view, need, present);
  } catch (error) {
    if (!isInvalidRequest(error)) throw error;
    return 0;
  }
}

/**
 * Creates a materialized view. Its query cannot be changed, and it is lost with its table: then it is deleted and created
 * again. If BigQuery refuses it, a plain view with the same query is created, which reads the whole table each time.
 * @param options.recreate whether the table of the view is new
 */
export async function setUpMaterializedView(
  bigquery: BigQuery,
  dataset: Dataset,
  view: View,
  { recreate }: { readonly recreate: boolean },
): Promise<SetupStep> {
  const { step, query, need } = viewSetup(bigquery, dataset, view);
  const create = async (): Promise<CreatedView["outcome"]> => {
    const metadata = { description: view.description, materializedView: { query } };
    const created = await createView(dataset, view, need, metadata);
    await describeMaterializedView(dataset, view, need, created.metadata);
    return created.outcome;
  };
  let outcome;
  try {
    outcome = await create();
  } catch (error) {
    if (!isInvalidRequest(error)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const plain = await setUpView(bigquery, dataset, view);
    return { ...plain, differences: [notMaterialized(`BigQuery refused a materialized view: ${reason}`)] };
  }
  if (outcome === "created") return { ...step, outcome, detail: "materialized" };
  const metadata = await viewMetadata(dataset, view, need);
  const { materializedView: present } = metadata;
  if (present === undefined) {
    const plain = await setUpView(bigquery, dataset, view);
    return { ...plain, differences: [notMaterialized("to replace it, delete it and run setup again")] };
  }
  if (present.query === query && !recreate) {
    return existing(step, { updated: describedText(await describeMaterializedView(dataset, view, need, metadata)) });
  }
  await withPermission(need("bigquery.tables.delete"), () => dataset.table(view.name).delete({ ignoreNotFound: true }));
  await create();
  return existing(step, {
    updated: [present.query === query ? "created again, because its table is new" : "new query"],
  });
}

const notMaterialized = (reason: string): string =>
  `not materialized, so that every read scans all rows of its table (${reason})`;
