import assert from "node:assert/strict";
import { dayOf, dayToIso, DAY_MS } from "@eventlogger/events/day";
import { runQuery } from "../bigquery/query";
import { useBigQueryEmulator } from "../bigquery/testing/useBigQueryEmulator";

const daysAgo = (days: number): string => dayToIso(dayOf(Date.now()) - days);

/** As in BigQuery. See https://cloud.google.com/bigquery/docs/managing-partitioned-tables#partition-expiration */
describe("the BigQuery emulator's expiration of partitions", () => {
  const fixture = useBigQueryEmulator();
  before(() => fixture.bigquery.createDataset("expiration"));

  async function texts(table: string): Promise<string[]> {
    const rows = await runQuery(fixture.bigquery, `SELECT text FROM expiration.${table} ORDER BY text`);
    return rows.map((row) => row.text("text"));
  }

  for (const type of ["DATE", "TIMESTAMP"] as const) {
    it(`rows of a table partitioned by a ${type} are deleted when their partition has ended as long ago as its expiration`, async () => {
      const table = fixture.bigquery.dataset("expiration").table(`by_${type}`);
      const day = (days: number): string => (type === "DATE" ? daysAgo(days) : `${daysAgo(days)}T23:59:59.999Z`);
      await table.create({
        schema: [
          { name: "text", type: "STRING" },
          { name: "day", type },
        ],
        timePartitioning: { type: "DAY", field: "day" },
      });
      // The days between the last two are left out, because midnight may come during the test.
      await table.insert([0, 5, 9, 12, 20].map((days) => ({ text: `${days}`, day: day(days) })));
      const setExpiration = (expirationMs: string | null): Promise<unknown> =>
        table.setMetadata({ timePartitioning: { type: "DAY", field: "day", expirationMs: expirationMs as string } });
      assert.deepEqual(await texts(table.id as string), ["0", "12", "20", "5", "9"]);
      await setExpiration(String(10 * DAY_MS));
      assert.deepEqual(await texts(table.id as string), ["0", "5", "9"]);
      // A row that is written into an expired partition is deleted, too.
      await table.insert([{ text: "15", day: day(15) }]);
      assert.deepEqual(await texts(table.id as string), ["0", "5", "9"]);
      await setExpiration(null);
      await table.insert([{ text: "15", day: day(15) }]);
      assert.deepEqual(await texts(table.id as string), ["0", "15", "5", "9"]);
    });
  }
});
