import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { runQuery } from "../bigquery/query";
import { useBigQueryEmulator } from "../bigquery/testing/useBigQueryEmulator";
import { ensurePythonEnvironment } from "./python/environment";

const APPEND_ROWS = path.join(packageRootOf(__filename), "emulators", "python", "testing", "append_rows.py");
/** The program has a thread for each. Python's default are 4 more threads than cores. */
const CONNECTIONS = 20;
const REQUESTS = 5;
const ROWS = 100;

describe("the connections of the BigQuery emulator", () => {
  const fixture = useBigQueryEmulator();

  it("rows that come through the REST API and the Storage API at the same time are all written, and queries are answered", async () => {
    const { bigquery, project, emulator } = fixture;
    const dataset = bigquery.dataset("both");
    await dataset.create();
    for (const table of ["appended", "inserted"]) {
      await dataset.createTable(table, { schema: [{ name: "n", type: "INT64" }] });
    }
    const { python } = await ensurePythonEnvironment();
    const table = `projects/${project}/datasets/both/tables/appended`;
    const appended = promisify(execFile)(
      python,
      [APPEND_ROWS, emulator.grpcHost, table, ...[CONNECTIONS, REQUESTS, ROWS].map(String)],
      { timeout: 90_000 },
    );
    const numbers = Array.from({ length: ROWS }, (_, n) => ({ n }));
    const insert = async (): Promise<void> => {
      for (let i = 0; i < REQUESTS; i++) await dataset.table("inserted").insert(numbers);
    };
    const read = async (): Promise<void> => {
      for (let i = 0; i < REQUESTS; i++) {
        const [row] = await runQuery(bigquery, "SELECT 'text' AS t, COUNT(*) AS n FROM both.inserted");
        assert.deepEqual([row?.text("t"), (row?.number("n") ?? -1) % ROWS], ["text", 0]);
      }
    };
    await Promise.all([insert(), insert(), read(), read()]);
    const all = CONNECTIONS * REQUESTS * ROWS;
    assert.equal((await appended).stdout.trim(), String(all));
    const counts = "SELECT (SELECT COUNT(*) FROM both.appended) AS a, (SELECT COUNT(*) FROM both.inserted) AS i";
    const [row] = await runQuery(bigquery, counts);
    assert.deepEqual([row?.number("a"), row?.number("i")], [all, 2 * REQUESTS * ROWS]);
  });
});
