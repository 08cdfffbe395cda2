import assert from "node:assert/strict";
import { dayOf, dayToIso } from "@eventlogger/events/day";
import { runQuery } from "../bigquery/query";
import { useBigQueryEmulator } from "../bigquery/testing/useBigQueryEmulator";

const today = (): number => dayOf(Date.now());
const daysFromToday = (days: number): string => dayToIso(today() + days);
const BOUNDS =
  "You can only stream to partitions of date range within 1825 days in the past and 366 days in the future relative to the current date.";
const MEBIBYTE = 1024 * 1024;

interface Refusal {
  readonly row: object;
  readonly errors: readonly { readonly reason: string; readonly message: string }[];
}

/** As in BigQuery. See https://cloud.google.com/bigquery/quotas#streaming_inserts */
describe("the BigQuery emulator's limits of streamed rows", () => {
  const fixture = useBigQueryEmulator();
  before(() => fixture.bigquery.createDataset("limits"));

  async function createTable(name: string, type: "DATE" | "TIMESTAMP", partitioned = true): Promise<void> {
    await fixture.bigquery.dataset("limits").createTable(name, {
      schema: [
        { name: "text", type: "STRING" },
        { name: "day", type },
      ],
      ...(partitioned && { timePartitioning: { type: "DAY", field: "day" } }),
    });
  }

  /** Streams rows. @returns the refused ones as `text reason` */
  async function insert(table: string, rows: readonly object[], skipInvalidRows = false): Promise<Refusal[]> {
    try {
      const options = { partialRetries: 0, skipInvalidRows };
      await fixture.bigquery
        .dataset("limits")
        .table(table)
        .insert([...rows], options);
      return [];
    } catch (error) {
      const { name, errors } = error as Error & { errors: Refusal[] };
      if (name !== "PartialFailureError") throw error;
      return errors;
    }
  }
  const reasons = (refusals: readonly Refusal[]): string[] =>
    refusals.map(({ row, errors }) => `${(row as { text: string }).text} ${errors[0]?.reason}`);

  async function texts(table: string): Promise<string[]> {
    const rows = await runQuery(fixture.bigquery, `SELECT text FROM limits.${table} ORDER BY text`);
    return rows.map((row) => row.text("text"));
  }

  for (const type of ["DATE", "TIMESTAMP"] as const) {
    it(`rows of a table partitioned by a ${type} are refused by name when their day is 1,826 days back or 367 ahead`, async () => {
      const table = `days_of_${type}`;
      await createTable(table, type);
      const row = (text: string, days: number): object => ({
        text,
        day: type === "DATE" ? daysFromToday(days) : `${daysFromToday(days)}T23:59:59.999Z`,
      });
      const within = [row("1825 back", -1825), row("366 ahead", 366), { text: "null", day: null }];
      assert.deepEqual(await insert(table, within), []);
      const mixed = [row("a", -1826), row("today", 0), row("b", 367), row("2011", -5700)];
      const refused = await insert(table, mixed);
      assert.deepEqual(reasons(refused), ["a invalid", "today stopped", "b invalid", "2011 invalid"]);
      const value = type === "DATE" ? today() - 1826 : (today() - 1825) * 86_400_000_000 - 1000;
      assert.equal(
        refused[0]?.errors[0]?.message,
        `Value ${value} for partition column day of the destination table demo-project:limits.${table} is outside the allowed bounds. ${BOUNDS}`,
      );
      assert.deepEqual(await texts(table), ["1825 back", "366 ahead", "null"]);

      const skipped = await insert(table, mixed, true);
      assert.deepEqual(reasons(skipped), ["a invalid", "b invalid", "2011 invalid"]);
      assert.deepEqual(await texts(table), ["1825 back", "366 ahead", "null", "today"]);
    });
  }

  it("rows of any day are accepted by a table without partitions", async () => {
    await createTable("unpartitioned", "DATE", false);
    assert.deepEqual(await insert("unpartitioned", [{ text: "old", day: "1970-01-01" }]), []);
  });

  it("rows are refused by name when they need a partition beyond 10,000 of their table", async () => {
    await createTable("partitions", "DATE");
    const last = daysFromToday(-1000);
    await runQuery(
      fixture.bigquery,
      `INSERT INTO limits.partitions (text, day)
       SELECT 'x', day FROM UNNEST(GENERATE_DATE_ARRAY(DATE_SUB(DATE '${last}', INTERVAL 9998 DAY), DATE '${last}')) AS day`,
    );
    const row = (text: string, days: number): object => ({ text, day: daysFromToday(days) });
    assert.deepEqual(await insert("partitions", [row("10,000th", -999), row("known", -1000)]), []);
    const rows = [row("10,001st", -998), row("known", -999)];
    const refused = await insert("partitions", rows);
    assert.deepEqual(reasons(refused), ["10,001st invalid", "known stopped"]);
    assert.match(refused[0]?.errors[0]?.message ?? "", /will have 10001 partitions, exceeding limit 10000/);
    assert.deepEqual(reasons(await insert("partitions", rows, true)), ["10,001st invalid"]);
  });

  it("a request of 50,000 rows is accepted, and one more row makes it a 400", async () => {
    await createTable("rows", "DATE");
    const rows = Array.from({ length: 50_000 }, () => ({ text: "" }));
    assert.deepEqual(await insert("rows", rows), []);
    await assert.rejects(insert("rows", [...rows, { text: "" }]), {
      code: 400,
      message: "too many rows present in the request, limit: 50000 row count: 50001.",
    });
    assert.equal((await texts("rows")).length, 50_000);
  });

  for (const [what, lengths] of [
    ["row", [10]],
    ["request", [4, 4, 2]],
  ] as const) {
    it(`a ${what} of more than 10 MB makes the request a 400`, async () => {
      const table = `size_of_${what}`;
      await createTable(table, "DATE");
      const rows = lengths.map((mebibytes) => ({ text: "x".repeat(mebibytes * MEBIBYTE) }));
      await assert.rejects(insert(table, rows), {
        code: 400,
        message: "Request payload size exceeds the limit: 10485760 bytes.",
      });
      const smaller = rows.map(({ text }) => ({ text: text.slice(300) }));
      assert.deepEqual(await insert(table, smaller), []);
    });
  }
});
