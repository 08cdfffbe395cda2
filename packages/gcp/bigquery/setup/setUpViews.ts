import type { BigQuery, Dataset, TableMetadata } from "@google-cloud/bigquery";
import { isInvalidRequest } from "../../api/errorCode";
import { needsOn, withPermission, type Need } from "../../api/permission";
import { createUnlessExists } from "../../setup/createUnlessExists";
import { existing, type SetupStep } from "../../setup/setupStep";
import type { View } from "../views";

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

/** Creates a view, or replaces the query of an existing one. */
export async function setUpView(bigquery: BigQuery, dataset: Dataset, view: View): Promise<SetupStep> {
  const { step, query, need } = viewSetup(bigquery, dataset, view);
  const metadata = { description: view.description, view: { query, useLegacySql: false } };
  const outcome = await createUnlessExists(need("bigquery.tables.create"), () =>
    dataset.createTable(view.name, metadata),
  );
  if (outcome === "created") return { ...step, outcome };
  const present = await viewMetadata(dataset, view, need);
  const presentQuery = typeof present.view === "object" ? present.view.query : undefined;
  if (presentQuery === query) return existing(step);
  await withPermission(need("bigquery.tables.update"), () =>
    dataset.table(view.name).setMetadata({ view: metadata.view }),
  );
  // Some emulators do not return the query of a view; then the change is unknown.
  return existing(step, { updated: presentQuery === undefined ? [] : ["new query"] });
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
  const create = (): ReturnType<typeof createUnlessExists> =>
    createUnlessExists(need("bigquery.tables.create"), () =>
      dataset.createTable(view.name, { description: view.description, materializedView: { query } }),
    );
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
  const { materializedView: present } = await viewMetadata(dataset, view, need);
  if (present === undefined) {
    const plain = await setUpView(bigquery, dataset, view);
    return { ...plain, differences: [notMaterialized("to replace it, delete it and run setup again")] };
  }
  if (present.query === query && !recreate) return existing(step);
  await withPermission(need("bigquery.tables.delete"), () => dataset.table(view.name).delete({ ignoreNotFound: true }));
  await create();
  return existing(step, {
    updated: [present.query === query ? "created again, because its table is new" : "new query"],
  });
}

const notMaterialized = (reason: string): string =>
  `not materialized, so that every read scans all rows of its table (${reason})`;
