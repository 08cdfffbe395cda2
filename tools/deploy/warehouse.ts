import { tables, type Table } from "@eventlogger/gcp/bigquery/tables";
import { views, type View } from "@eventlogger/gcp/bigquery/views";

/** Terraform's template functions replace them. */
const PROJECT = "${project}";
const DATASET = "${dataset}";

/** Terraform creates views of tables, then views of those views. */
const HIGHEST_LEVEL = 2;

/** A table for the resource `google_bigquery_table`. */
interface TableEntry {
  readonly name: string;
  readonly description: string;
  readonly partition_by: string;
  readonly clustering: readonly string[] | null;
  /** Fields as in BigQuery's API. */
  readonly schema: readonly object[];
}

/** A view for the resource `google_bigquery_table`. */
interface ViewEntry {
  readonly name: string;
  readonly description: string;
  /** 1 for a view that reads tables only, otherwise one more than the highest level of the views that it reads. */
  readonly level: number;
  readonly materialized: boolean;
  readonly query: string;
}

/** The tables and views of a dataset, as the Terraform module reads them. */
export interface WarehouseFile {
  readonly tables: readonly TableEntry[];
  readonly views: readonly ViewEntry[];
}

function tableEntry({ name, description, columns, partitionBy, clusterBy }: Table): TableEntry {
  return {
    name,
    description,
    partition_by: partitionBy,
    clustering: clusterBy ?? null,
    schema: columns.map((column) => ({ ...column })),
  };
}

/** The names of the tables and views that a query reads. */
function namesIn(query: string): string[] {
  return query
    .split("`")
    .filter((part) => part.startsWith(`${PROJECT}.${DATASET}.`))
    .map((part) => part.split(".")[2] ?? "");
}

function viewEntries(declared: readonly View[]): ViewEntry[] {
  const levels = new Map<string, number>();
  return declared.map((view) => {
    const { name, description } = view;
    const query = view.query(PROJECT, DATASET).trim();
    const level = 1 + Math.max(0, ...namesIn(query).map((read) => levels.get(read) ?? 0));
    const materialized = view.materializedFrom !== undefined;
    if (level > HIGHEST_LEVEL || (materialized && level > 1)) {
      throw new Error(
        `The view ${name} reads a view that reads views. Add a resource for views of level ${level} to deploy/terraform/warehouse.tf`,
      );
    }
    if (
      query
        .replaceAll(PROJECT, "")
        .replaceAll(DATASET, "")
        .match(/[$%]\{/)
    ) {
      throw new Error(`The query of the view ${name} contains \${ or %{, which Terraform would replace`);
    }
    levels.set(name, level);
    return { name, description, level, materialized, query };
  });
}

/**
 * The tables and views of a dataset. Their queries contain `${project}` and `${dataset}`, which Terraform's `templatefile` replaces.
 * @throws Error that names a view that the Terraform module cannot create
 */
export function warehouseFile(): WarehouseFile {
  return { tables: tables.map(tableEntry), views: viewEntries(views) };
}
