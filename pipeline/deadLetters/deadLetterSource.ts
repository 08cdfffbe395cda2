import type { BigQuery } from "@google-cloud/bigquery";
import { runQuery, streamQuery, type ResultRow } from "@eventlogger/gcp/bigquery/query";
import { deadLettersTable } from "@eventlogger/gcp/bigquery/tables";
import { tableReference } from "@eventlogger/gcp/bigquery/views";
import { readDeadLetterFiles, type UnreadableLine } from "./readDeadLetterFiles";
import { deadLetterId, type StoredDeadLetter } from "./storedDeadLetter";

/** Which dead letters to read. */
export interface DeadLetterFilter {
  /** Error types such as `not_json`, or the part of one before its colon, such as `row_refused`. Empty: all. */
  readonly errorTypes: readonly string[];
  /** Bounds of `failed_at`, epoch ms: from `since` on, and before `until`. */
  readonly since: number | undefined;
  readonly until: number | undefined;
}

/** Where dead letters are kept. */
export interface DeadLetterSource {
  /** Each dead letter once, oldest first. */
  read(filter: DeadLetterFilter): AsyncIterable<StoredDeadLetter>;
  /** The newest dead letters, oldest first, and the number of all. */
  newest(filter: DeadLetterFilter, limit: number): Promise<{ letters: StoredDeadLetter[]; total: number }>;
}

function matches({ error_type, failed_at }: StoredDeadLetter, { errorTypes, since, until }: DeadLetterFilter): boolean {
  const failedAt = Date.parse(failed_at);
  const hasType = (type: string): boolean => error_type === type || error_type.startsWith(`${type}:`);
  return (
    (errorTypes.length === 0 || errorTypes.some(hasType)) &&
    failedAt >= (since ?? -Infinity) &&
    failedAt < (until ?? Infinity)
  );
}

/** The dead letters in the files of some folders. */
export class DeadLetterFolders implements DeadLetterSource {
  constructor(
    private readonly folders: readonly string[],
    private readonly onUnreadable: (line: UnreadableLine) => void,
  ) {}

  async *read(filter: DeadLetterFilter): AsyncGenerator<StoredDeadLetter> {
    for await (const letter of readDeadLetterFiles(this.folders, this.onUnreadable)) {
      if (matches(letter, filter)) yield letter;
    }
  }

  async newest(filter: DeadLetterFilter, limit: number): Promise<{ letters: StoredDeadLetter[]; total: number }> {
    let letters: StoredDeadLetter[] = [];
    let total = 0;
    // Those of one day are in the order of their failures only within a folder.
    const last = (): StoredDeadLetter[] =>
      letters.sort((a, b) => Date.parse(a.failed_at) - Date.parse(b.failed_at)).slice(-limit);
    for await (const letter of this.read(filter)) {
      total++;
      letters.push(letter);
      if (letters.length > 2 * limit) letters = last();
    }
    return { letters: last(), total };
  }
}

function storedDeadLetter(row: ResultRow): StoredDeadLetter {
  const letter = {
    error_type: row.text("error_type"),
    error_message: row.text("error_message"),
    payload: row.text("payload"),
    payload_encoding: row.text("payload_encoding") === "base64" ? "base64" : "utf8",
    source: row.text("source"),
    failed_at: row.text("failed_at"),
  } as const;
  return { id: deadLetterId(letter), ...letter };
}

/** The dead letters in the table. */
export class DeadLetterTable implements DeadLetterSource {
  private readonly table: string;

  constructor(
    private readonly bigquery: BigQuery,
    dataset: string,
  ) {
    this.table = tableReference(bigquery.projectId, dataset, deadLettersTable.name);
  }

  async *read(filter: DeadLetterFilter): AsyncGenerator<StoredDeadLetter> {
    const { where, params } = conditions(filter);
    const query = `SELECT * FROM ${this.table} WHERE ${where} ORDER BY failed_at`;
    const seen = new Set<string>();
    for await (const row of streamQuery(this.bigquery, query, params)) {
      const letter = storedDeadLetter(row);
      if (seen.has(letter.id)) continue;
      seen.add(letter.id);
      yield letter;
    }
  }

  async newest(filter: DeadLetterFilter, limit: number): Promise<{ letters: StoredDeadLetter[]; total: number }> {
    const { where, params } = conditions(filter);
    // A redelivered message can have several rows.
    const one = `SELECT *, ROW_NUMBER() OVER (PARTITION BY source, payload ORDER BY failed_at) AS nth FROM ${this.table} WHERE ${where}`;
    const [count] = await runQuery(this.bigquery, `SELECT COUNT(*) AS n FROM (${one}) WHERE nth = 1`, params);
    const query = `SELECT * FROM (${one}) WHERE nth = 1 ORDER BY failed_at DESC LIMIT ${limit}`;
    const rows = await runQuery(this.bigquery, query, params);
    return { letters: rows.map(storedDeadLetter).reverse(), total: count?.number("n") ?? 0 };
  }
}

function conditions({ errorTypes, since, until }: DeadLetterFilter): { where: string; params: Record<string, string> } {
  const where = ["TRUE"];
  if (since !== undefined) where.push(`failed_at >= TIMESTAMP '${new Date(since).toISOString()}'`);
  if (until !== undefined) where.push(`failed_at < TIMESTAMP '${new Date(until).toISOString()}'`);
  const types = errorTypes.map((_, i) => `error_type = @type${i} OR STARTS_WITH(error_type, CONCAT(@type${i}, ':'))`);
  if (types.length) where.push(`(${types.join(" OR ")})`);
  return {
    where: where.join(" AND "),
    params: Object.fromEntries(errorTypes.map((type, i) => [`type${i}`, type])),
  };
}
