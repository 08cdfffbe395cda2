import { views } from "../bigquery/views";
import { googleError, type FakeAnswer, type FakeRequest, type FakeService } from "./fakeServer";

interface TableResource {
  readonly tableReference: { readonly tableId: string };
  readonly materializedView?: { readonly query: string };
  readonly view?: { readonly query: string; readonly useLegacySql: boolean };
  readonly schema?: { readonly fields: readonly { readonly name: string; readonly description?: string }[] };
  readonly [property: string]: unknown;
}

/** https://cloud.google.com/bigquery/docs/materialized-views-create#aggregate_requirements */
const AGGREGATE =
  /^(ANY_VALUE|APPROX_COUNT_DISTINCT|ARRAY_AGG|AVG|BIT_AND|BIT_OR|BIT_XOR|COUNT|COUNTIF|HLL_COUNT\.INIT|LOGICAL_AND|LOGICAL_OR|MAX|MIN|MAX_BY|MIN_BY|SUM)\([\w, ]+\) AS \w+$/;
const COLUMN = /^\w+$/;

/** Why BigQuery refuses the query of an incremental materialized view; undefined when it does not. */
function materializedViewProblem(query: string): string | undefined {
  const parts = /^SELECT\s+(.*?)\s+FROM `[\w.-]+`\s+GROUP BY \w+(?:, \w+)*$/s.exec(query);
  if (!parts) return "Materialized view query must have the form SELECT … FROM table GROUP BY columns";
  const items = (parts[1] ?? "").split(/,\s*\n\s*/);
  const wrong = items.find((item) => !COLUMN.test(item) && !AGGREGATE.test(item));
  return wrong === undefined ? undefined : `Materialized view query contains unsupported feature: ${wrong}`;
}

/** The columns of a view without descriptions. BigQuery computes them from its query, the fake knows those of our views. */
function viewSchema(name: string): NonNullable<TableResource["schema"]> {
  const columns = Object.keys(views.find((view) => view.name === name)?.columns ?? {});
  return { fields: columns.map((column) => ({ name: column, type: "STRING" })) };
}

/**
 * The part of BigQuery's REST API that creates datasets, tables and views, with its documented rules for materialized views,
 * which emulators lack. It stores no rows.
 */
export class FakeBigQuery {
  /** Resources by `dataset.table`. */
  readonly tables = new Map<string, TableResource>();
  /** Whether it supports materialized views. */
  hasMaterializedViews = true;
  private readonly datasets = new Set<string>();

  readonly service: FakeService = (request) => {
    const match = /^\/bigquery\/v2\/projects\/[^/]+\/datasets(?:\/(\w+)(?:\/tables(?:\/(\w+))?)?)?$/.exec(request.path);
    if (!match) return undefined;
    const [, dataset, table] = match;
    if (dataset === undefined) return this.createDataset(request);
    if (table === undefined) return request.path.endsWith("/tables") ? this.createTable(dataset, request) : undefined;
    return this.changeTable(`${dataset}.${table}`, request);
  };

  private createDataset({ body }: FakeRequest): FakeAnswer {
    const { datasetReference } = JSON.parse(body.toString()) as { datasetReference: { datasetId: string } };
    if (this.datasets.has(datasetReference.datasetId)) return googleError(409, "Already Exists: Dataset");
    this.datasets.add(datasetReference.datasetId);
    return { status: 200, body: { kind: "bigquery#dataset", datasetReference } };
  }

  private createTable(dataset: string, { body }: FakeRequest): FakeAnswer {
    const resource = JSON.parse(body.toString()) as TableResource;
    const { tableId } = resource.tableReference;
    const name = `${dataset}.${tableId}`;
    if (this.tables.has(name)) return googleError(409, `Already Exists: Table ${name}`);
    const { materializedView } = resource;
    if (materializedView) {
      const problem = this.hasMaterializedViews
        ? materializedViewProblem(materializedView.query)
        : "Materialized views are not supported here";
      if (problem !== undefined) return googleError(400, problem);
    }
    const isView = Boolean(materializedView ?? resource.view);
    if (isView && resource.schema) return googleError(400, "Schema field shouldn't be used as input with a view");
    const stored = isView ? { ...resource, schema: viewSchema(tableId) } : resource;
    this.tables.set(name, stored);
    return { status: 200, body: { kind: "bigquery#table", ...stored } };
  }

  private changeTable(name: string, { method, body }: FakeRequest): FakeAnswer | undefined {
    const resource = this.tables.get(name);
    if (!resource) return googleError(404, `Not found: Table ${name}`);
    if (method === "DELETE") {
      this.tables.delete(name);
      return { status: 204 };
    }
    if (method === "GET") return { status: 200, body: { kind: "bigquery#table", ...resource } };
    if (method !== "PATCH") return undefined;
    const change = JSON.parse(body.toString()) as object;
    if ("materializedView" in change) return googleError(400, "The query of a materialized view cannot be updated");
    // A new query makes the columns anew.
    const columns = "view" in change ? { schema: viewSchema(name.split(".")[1] ?? "") } : {};
    const changed = { ...resource, ...columns, ...change };
    this.tables.set(name, changed);
    return { status: 200, body: { kind: "bigquery#table", ...changed } };
  }
}
