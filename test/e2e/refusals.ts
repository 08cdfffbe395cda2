import { setTimeout as sleep } from "node:timers/promises";
import {
  insertErrorsAnswer,
  type Answer,
  type InsertRequest,
  type RecordingProxy,
} from "@eventlogger/gcp/bigquery/testing/recordingProxy";
import { waitUntil } from "@eventlogger/process/wait";

const MESSAGE = "no such field: city";

function refuseRequest(): Answer {
  const error = { code: 400, message: MESSAGE, errors: [{ reason: "invalid", message: MESSAGE }] };
  return { status: 400, body: { error } };
}

function refuseRows({ rows }: InsertRequest): Answer {
  return insertErrorsAnswer(rows.map((_, index) => ({ index, errors: [{ reason: "invalid", message: MESSAGE }] })));
}

/**
 * BigQuery refuses every row of every table: first by answering 400, then by naming each row. It behaves so while a column
 * is missing, or a table was made again.
 * @param eachMs how long each kind lasts at least; it also lasts until three requests were refused
 */
export async function refuseEveryRow(proxy: RecordingProxy, eachMs: number): Promise<void> {
  for (const refuse of [refuseRequest, refuseRows]) {
    let refused = 0;
    proxy.answer = (request) => {
      refused++;
      return refuse(request);
    };
    await sleep(eachMs);
    await waitUntil("three refused requests", () => refused >= 3, { intervalMs: 50 });
  }
  proxy.answer = () => undefined;
}
