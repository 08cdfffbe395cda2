import type { BigQuery, Dataset, TableMetadata } from "@google-cloud/bigquery";
import { DAY_MS } from "@eventlogger/events/day";
import { needsOn, withPermission } from "../../api/permission";
import { COMPLETE_SINCE_LABEL, completeSince, describeRetention, eventRetention } from "../retention/eventRetention";
import { bigQueryNow } from "../retention/horizon";
import { eventsTable, type Table } from "../tables";

/** Days after which rows of `events` are deleted, counted from the end of their day of receipt; `none`: never. */
export type RetentionSetting = number | "none";

/** As long as a subscription keeps messages by default: younger rows may still be written. */
export const MIN_RETENTION_DAYS = 7;
/** BigQuery allows 10,000 partitions of a table. */
export const MAX_RETENTION_DAYS = 10_000;

/** The setting of a text such as `30` or `none`; undefined for any other text. */
export function parseRetention(text: string): RetentionSetting | undefined {
  if (text === "none") return "none";
  const days = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  return days >= MIN_RETENTION_DAYS && days <= MAX_RETENTION_DAYS ? days : undefined;
}

/** The expiration of a new table, for its partitioning. */
export function newExpiration(table: Table, retention: RetentionSetting | undefined): { expirationMs?: string } {
  return table === eventsTable && typeof retention === "number" ? { expirationMs: String(retention * DAY_MS) } : {};
}

/** The retention of a new table, for people; undefined when it keeps its rows. */
export function describeNewRetention(table: Table, retention: RetentionSetting | undefined): string | undefined {
  return table === eventsTable && typeof retention === "number" ? deletedAfter(retention * DAY_MS) : undefined;
}

const deletedAfter = (expirationMs: number): string =>
  `rows are deleted ${describeRetention(expirationMs)} after they were received`;

/**
 * Changes the retention of the existing table `events`. What it has deleted stays known: a label of the table names the first
 * day of receipt whose rows are all there.
 * @returns what was updated, or the retention that the table has
 * @throws Error that names the missing permission, or the client's error
 */
export async function setUpRetention(
  bigquery: BigQuery,
  dataset: Dataset,
  metadata: TableMetadata,
  wanted: RetentionSetting | undefined,
): Promise<{ readonly updated: readonly string[]; readonly detail: string | undefined }> {
  const present = eventRetention(metadata);
  const deletedBefore = (since: string | undefined): string[] =>
    since === undefined ? [] : [`rows received before ${since} are deleted`];
  const wantedMs = wanted === undefined ? present.expirationMs : wanted === "none" ? undefined : wanted * DAY_MS;
  if (wantedMs === present.expirationMs) {
    const kept = wantedMs === undefined ? deletedBefore(present.completeSince) : [deletedAfter(wantedMs)];
    return { updated: [], detail: kept.join() || undefined };
  }
  const now = await bigQueryNow(bigquery);
  const since = completeSince(present, now);
  const { type = "DAY", field = eventsTable.partitionBy } = metadata.timePartitioning ?? {};
  const labels = metadata.labels;
  const change = {
    // A patch removes a value that is null: https://cloud.google.com/bigquery/docs/reference/rest/v2/tables/patch
    timePartitioning: { type, field, expirationMs: wantedMs === undefined ? null : String(wantedMs) },
    ...(since !== undefined && { labels: { ...labels, [COMPLETE_SINCE_LABEL]: since } }),
  };
  const need = needsOn(bigquery.projectId, `table ${dataset.id}.${eventsTable.name}`);
  await withPermission(need("bigquery.tables.update"), () =>
    dataset.table(eventsTable.name).setMetadata(change as TableMetadata),
  );
  const before = present.expirationMs === undefined ? "never" : `after ${describeRetention(present.expirationMs)}`;
  const after = wantedMs === undefined ? "rows are no longer deleted" : deletedAfter(wantedMs);
  const lost = completeSince({ expirationMs: wantedMs, completeSince: since }, now);
  return { updated: [`${after}, before: ${before}`, ...deletedBefore(lost)], detail: undefined };
}
