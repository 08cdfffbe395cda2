import type { Dataset, TableMetadata } from "@google-cloud/bigquery";

type Fields = NonNullable<Extract<TableMetadata["schema"], { fields?: unknown }>["fields"]>;

/** The columns that the service reports of a table or view; empty when it reports none, as emulators do of views. */
export function fieldsOf({ schema }: TableMetadata): Fields {
  return (typeof schema === "object" && "fields" in schema && schema.fields) || [];
}

/** The columns with the descriptions of this release. Columns that it does not know keep theirs. */
export function describedFields(fields: Fields, descriptions: Readonly<Record<string, string>>): Fields {
  return fields.map((field) => {
    const description = descriptions[field.name ?? ""];
    return description === undefined ? field : { ...field, description };
  });
}

/**
 * Gives the columns of an existing table or view the descriptions of this release.
 * @param present its metadata as the service reports them
 * @returns the number of changed descriptions
 * @throws Error of the client
 */
export async function describeColumns(
  dataset: Dataset,
  name: string,
  present: TableMetadata,
  descriptions: Readonly<Record<string, string>>,
): Promise<number> {
  const before = fieldsOf(present);
  const fields = describedFields(before, descriptions);
  const changed = fields.filter((field, i) => field.description !== before[i]?.description).length;
  if (changed > 0) await dataset.table(name).setMetadata({ schema: { fields } });
  return changed;
}

/** What {@link describeColumns} has changed, for the report of `setup`. */
export function describedText(changed: number): string[] {
  return changed === 0 ? [] : [`${changed} ${changed === 1 ? "description" : "descriptions"} of columns`];
}
