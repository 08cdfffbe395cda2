import type { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { runQuery } from "@eventlogger/gcp/bigquery/query";

/** Rows that one statement creates, so that the emulator's memory stays small. */
const CHUNK = 100_000;

/**
 * Creates rows of the table `events` in the warehouse: sessions of eight events with a minute between them, spread over ten days.
 * @param now epoch ms
 */
export async function createRows(
  bigquery: ReturnType<typeof bigQueryClient>,
  dataset: string,
  { rows, users, now }: { readonly rows: number; readonly users: number; readonly now: number },
): Promise<void> {
  const start = new Date(now - 11 * 86_400_000).toISOString();
  for (let first = 0; first < rows; first += CHUNK) {
    const last = Math.min(rows, first + CHUNK) - 1;
    await runQuery(
      bigquery,
      `INSERT INTO ${dataset}.events
         (event_id, session_id, event_name, event_time, event_date, user_id, received_at, received_date)
       SELECT event_id, session_id, 'page_view', event_time, DATE(event_time), user_id, event_time, DATE(event_time)
       FROM (
         SELECT
           CONCAT('event-', CAST(n AS STRING)) AS event_id,
           CONCAT('session-', CAST(DIV(n, 8) AS STRING)) AS session_id,
           CONCAT('user-', CAST(MOD(DIV(n, 8), ${users * 10}) AS STRING)) AS user_id,
           TIMESTAMP_ADD(
             TIMESTAMP '${start}',
             INTERVAL CAST(FLOOR(DIV(n, 8) * 8 / ${rows} * 864000) AS INT64) * 1000 + MOD(n, 8) * 60000 MILLISECOND
           ) AS event_time
         FROM UNNEST(GENERATE_ARRAY(${first}, ${last})) AS n
       )`,
    );
  }
}
