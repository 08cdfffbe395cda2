import type { BigQuery, Job, JobMetadata } from "@google-cloud/bigquery";

/** One row of a query result, with typed access to its columns. */
export class ResultRow {
  constructor(private readonly columns: Readonly<Record<string, unknown>>) {}

  /** @throws TypeError when the column is absent, null or not numeric */
  number(column: string): number {
    const value = this.columns[column];
    const number = typeof value === "string" || typeof value === "bigint" ? Number(value) : value;
    if (typeof number !== "number" || Number.isNaN(number)) throw this.mismatch(column, "a number");
    return number;
  }

  /** As {@link number}, but null for NULL. */
  numberOrNull(column: string): number | null {
    return (this.columns[column] ?? null) === null ? null : this.number(column);
  }

  /** A string, or a DATE or TIMESTAMP as a string. @throws TypeError for any other value */
  text(column: string): string {
    const value = this.columns[column];
    if (typeof value === "string") return value;
    // The client wraps dates and times in classes with a string in `value`.
    const wrapped = (value as { value?: unknown } | null | undefined)?.value;
    if (typeof wrapped === "string") return wrapped;
    throw this.mismatch(column, "text");
  }

  /** As {@link text}, but null for NULL. */
  textOrNull(column: string): string | null {
    return (this.columns[column] ?? null) === null ? null : this.text(column);
  }

  /** A TIMESTAMP as ISO 8601 in UTC with milliseconds. @throws TypeError for any other value */
  time(column: string): string {
    const time = new Date(this.text(column));
    if (Number.isNaN(time.getTime())) throw this.mismatch(column, "a time");
    return time.toISOString();
  }

  /** As {@link time}, but null for NULL. */
  timeOrNull(column: string): string | null {
    return (this.columns[column] ?? null) === null ? null : this.time(column);
  }

  private mismatch(column: string, wanted: string): TypeError {
    return new TypeError(`Column ${column} must be ${wanted}, but is ${JSON.stringify(this.columns[column])}`);
  }
}

/** Named parameters. A list must not be empty. */
export type QueryParameters = Readonly<Record<string, string | number | readonly string[]>>;

async function createJob(bigquery: BigQuery, query: string, params: QueryParameters): Promise<Job> {
  const [job] = await bigquery.createQueryJob({
    query,
    ...(Object.keys(params).length ? { params: { ...params } } : {}),
  });
  return job;
}

/**
 * Runs a query and yields its rows while they are read, for results that do not fit into memory.
 * @throws as {@link runQuery}
 */
export async function* streamQuery(
  bigquery: BigQuery,
  query: string,
  params: QueryParameters = {},
): AsyncGenerator<ResultRow> {
  const job = await createJob(bigquery, query, params);
  for await (const row of job.getQueryResultsStream()) yield new ResultRow(row as Record<string, unknown>);
}

/**
 * Runs a query and reads its whole result. Uses a job, because the shorter `query` call of the client hides errors of
 * emulators.
 * @throws Error of the BigQuery client when the query is rejected or fails
 */
export async function runQuery(bigquery: BigQuery, query: string, params: QueryParameters = {}): Promise<ResultRow[]> {
  const job = await createJob(bigquery, query, params);
  const [rows] = await job.getQueryResults();
  return rows.map((row) => new ResultRow(row as Record<string, unknown>));
}

/**
 * Runs a statement that changes rows.
 * @returns the number of changed rows
 * @throws Error of the BigQuery client when the statement is rejected or fails
 */
export async function runChange(bigquery: BigQuery, statement: string, params: QueryParameters = {}): Promise<number> {
  const job = await createJob(bigquery, statement, params);
  await job.getQueryResults();
  const [metadata] = (await job.getMetadata()) as [JobMetadata, unknown];
  const { numDmlAffectedRows } = metadata.statistics?.query ?? {};
  if (numDmlAffectedRows === undefined) throw new Error("BigQuery did not report the number of changed rows");
  return Number(numDmlAffectedRows);
}
