import type { BigQuery, Job, JobMetadata } from "@google-cloud/bigquery";
import { setTimeout as sleep } from "node:timers/promises";
import type { ReplayEvent } from "@eventlogger/events/replayMessage";
import { backoffMs } from "@eventlogger/process/backoff";
import { conditionOf, eventsReference, type RowSelection } from "./selection";

/** The columns of a {@link ReplayEvent}, in the order of the result. Times are milliseconds, so that nothing is parsed. */
const COLUMNS =
  "event_id, session_id, event_name, UNIX_MILLIS(event_time), user_id, UNIX_MILLIS(received_at), anonymous_id, is_bot";

/**
 * Rows that one query reads at most. BigQuery keeps the result of a query of up to 10 GB, compressed
 * (https://cloud.google.com/bigquery/quotas#query_jobs).
 */
export const MAX_QUERY_ROWS = 50_000_000;

/** See `pageRows`. */
const PAGE_ROWS = 20_000;

/** How often a page is requested again after an error, and the waits in between. */
const RETRIES = { attempts: 6, backoff: { initialMs: 500, maxMs: 15_000 } };

/** A page of a result as the service sends it. */
interface Page {
  readonly jobComplete?: boolean;
  readonly pageToken?: string;
  readonly rows?: readonly { readonly f: readonly { readonly v: string | null }[] }[];
}

export interface ReadOptions {
  /** Number of selected rows, from which the number of queries follows. */
  readonly rows: number;
  /** @default 50 million, so that the result of a query is below BigQuery's limit */
  readonly maxQueryRows?: number;
  /** Maximum number of rows in a page. @default 20,000; BigQuery returns fewer when they exceed 10 MB */
  readonly pageRows?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called after each query with the bytes that it has read; 0 when the server does not report them. */
  readonly onBytesScanned?: (bytes: number) => void;
}

function selectSql(project: string, dataset: string, selection: RowSelection, slice: string): string {
  return `SELECT ${COLUMNS} FROM ${eventsReference(project, dataset)} WHERE ${conditionOf(selection)}${slice}`;
}

/** Conditions that divide rows into parts of about the same size, by a hash of their ids. */
function slicesOf(rows: number, maxRows: number): string[] {
  const n = Math.max(1, Math.ceil(rows / maxRows));
  // The remainder of a negative hash is negative.
  const slice = (i: number): string => ` AND MOD(FARM_FINGERPRINT(event_id), ${n}) IN (${i ? `${i}, -${i}` : "0"})`;
  return n === 1 ? [""] : Array.from({ length: n }, (_, i) => slice(i));
}

/**
 * Reads the events of the selected rows, a page after the other. The next page is requested while the caller handles one, so that
 * at most two are in memory. Each row is read once; rows that are added meanwhile are not.
 * @throws the reason of the signal; Error of the BigQuery client
 */
export async function* readRows(
  bigquery: BigQuery,
  dataset: string,
  selection: RowSelection,
  options: ReadOptions,
): AsyncGenerator<ReplayEvent[]> {
  const { rows, maxQueryRows = MAX_QUERY_ROWS, signal, onBytesScanned } = options;
  for (const slice of slicesOf(rows, maxQueryRows)) {
    signal?.throwIfAborted();
    const [job] = await bigquery.createQueryJob({
      query: selectSql(bigquery.projectId, dataset, selection, slice),
    });
    try {
      yield* pagesOf(bigquery, job, options);
    } catch (error) {
      // Nobody reads the result any more. It may have been read to its end.
      await job.cancel().catch(() => undefined);
      throw error;
    }
    const [metadata] = (await job.getMetadata()) as [JobMetadata, unknown];
    onBytesScanned?.(Number(metadata.statistics?.query?.totalBytesProcessed ?? 0));
  }
}

/**
 * The bytes that reading the selected rows would scan, which BigQuery charges; undefined when the server does not report them,
 * as emulators. Reads nothing.
 */
export async function bytesToRead(
  bigquery: BigQuery,
  dataset: string,
  selection: RowSelection,
): Promise<number | undefined> {
  const query = selectSql(bigquery.projectId, dataset, selection, "");
  const [job] = await bigquery.createQueryJob({ query, dryRun: true });
  const { statistics } = job.metadata as JobMetadata;
  const bytes = Number(statistics?.totalBytesProcessed ?? statistics?.query?.totalBytesProcessed ?? 0);
  return bytes > 0 ? bytes : undefined;
}

async function* pagesOf(
  bigquery: BigQuery,
  job: Job,
  { pageRows = PAGE_ROWS, signal }: ReadOptions,
): AsyncGenerator<ReplayEvent[]> {
  const request = (pageToken?: string): Promise<Page> => {
    const page = pageOf(bigquery, job, { pageToken, pageRows, signal });
    // The page ahead may fail while nobody waits for it.
    page.catch(() => undefined);
    return page;
  };
  let next: Promise<Page> | undefined = request();
  while (next) {
    const page: Page = await next;
    signal?.throwIfAborted();
    const { jobComplete, pageToken, rows = [] } = page;
    if (jobComplete === false) {
      next = request();
      continue;
    }
    next = pageToken ? request(pageToken) : undefined;
    yield rows.map(({ f }) => eventOf(f.map(({ v }) => v)));
  }
}

function eventOf([
  event_id,
  session_id,
  event_name,
  event_time,
  user_id = null,
  received_at,
  anonymous_id = null,
  is_bot,
]: (string | null)[]): ReplayEvent {
  return {
    event_id: event_id ?? "",
    session_id: session_id ?? "",
    event_name: event_name ?? "",
    event_time: Number(event_time),
    user_id,
    anonymous_id,
    // Null in rows of earlier releases.
    is_bot: is_bot?.toLowerCase() === "true",
    received_at: Number(received_at),
  };
}

interface PageRequest {
  readonly pageToken: string | undefined;
  readonly pageRows: number;
  readonly signal: AbortSignal | undefined;
}

/** Requests a page. Not by the client's own method, which makes an object with parsed values of every row. */
async function pageOf(
  bigquery: BigQuery,
  { id, location }: Job,
  { pageToken, pageRows, signal }: PageRequest,
): Promise<Page> {
  const qs = { maxResults: pageRows, ...(location && { location }), ...(pageToken && { pageToken }) };
  for (let failures = 1; ; failures++) {
    try {
      return await new Promise<Page>((resolve, reject) =>
        bigquery.request({ uri: `/queries/${id}`, qs }, (error, body: unknown) =>
          error ? reject(error) : resolve(body as Page),
        ),
      );
    } catch (error) {
      if (failures >= RETRIES.attempts || !isTransient(error)) throw error;
      await sleep(backoffMs(failures, RETRIES.backoff), undefined, signal && { signal }).catch(() => undefined);
      signal?.throwIfAborted();
    }
  }
}

/** Whether a request may succeed when it is repeated: the service is unavailable, or the connection was lost. */
function isTransient(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === "number" ? code === 429 || code >= 500 : true;
}
