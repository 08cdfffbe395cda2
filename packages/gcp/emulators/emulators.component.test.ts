import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BigQuery } from "@google-cloud/bigquery";
import { PubSub } from "@google-cloud/pubsub";
import { startBigQueryEmulator, startPubSubEmulator } from "./emulators";
import { freePort } from "@eventlogger/process/ports";

const REQUESTS = 20;
/** Of a row. */
const BYTES = 500_000;

describe("the emulators", () => {
  let dir: string;
  before(() => (dir = mkdtempSync(join(tmpdir(), "emulators-"))));
  after(() => rmSync(dir, { recursive: true }));

  it("Pub/Sub serves a client, and nothing answers after it was stopped", async () => {
    const emulator = await startPubSubEmulator({ logFile: join(dir, "pubsub.log") });
    try {
      const pubsub = new PubSub({ projectId: "demo-project", apiEndpoint: emulator.host, emulatorMode: true });
      await pubsub.createTopic("a-topic");
      const [topics] = await pubsub.getTopics();
      assert.deepEqual(
        topics.map((t) => t.name),
        ["projects/demo-project/topics/a-topic"],
      );
      await pubsub.close();
    } finally {
      await emulator.stop();
    }
    assert.equal(emulator.process.running, false);
    await assert.rejects(fetch(`http://${emulator.host}/`));
  });

  it("BigQuery serves its tables again after a restart, and keeps no copy of a table for each request", async () => {
    const dataDir = join(dir, "bigquery");
    const options = { dataDir, logFile: join(dir, "bigquery.log"), port: await freePort() };
    const first = await startBigQueryEmulator(options);
    const bigquery = new BigQuery({ projectId: "demo-project", apiEndpoint: first.url });
    try {
      await bigquery.createDataset("d");
      await bigquery.dataset("d").createTable("t", { schema: [{ name: "n", type: "INT64" }] });
      await bigquery
        .dataset("d")
        .table("t")
        .insert([{ n: 42 }]);
      await bigquery.dataset("d").createTable("texts", { schema: [{ name: "text", type: "STRING" }] });
      for (let i = 0; i < REQUESTS; i++) {
        await bigquery
          .dataset("d")
          .table("texts")
          .insert([{ text: randomBytes(BYTES / 2).toString("hex") }]);
      }
    } finally {
      await first.stop();
    }
    const stored = readdirSync(dataDir).reduce((sum, name) => sum + statSync(join(dataDir, name)).size, 0);
    assert.ok(stored > REQUESTS * (BYTES / 2) && stored < REQUESTS * BYTES * 3, `${stored} bytes`);
    const second = await startBigQueryEmulator(options);
    try {
      const [job] = await bigquery.createQueryJob({ query: "SELECT n FROM d.t" });
      const [rows] = await job.getQueryResults();
      assert.deepEqual(rows, [{ n: 42 }]);
    } finally {
      await second.stop();
    }
  });

  it("BigQuery answers a query that it has seen by the types and rows that its table has now", async () => {
    const emulator = await startBigQueryEmulator({ dataDir: join(dir, "queries"), logFile: join(dir, "queries.log") });
    try {
      const bigquery = new BigQuery({ projectId: "demo-project", apiEndpoint: emulator.url });
      const run = async (query: string): Promise<unknown[]> => (await bigquery.query(query))[0] as unknown[];
      await bigquery.createDataset("d");
      const mean = "SELECT AVG(x) AS mean, COUNT(*) AS n FROM d.numbers WHERE x > 0";
      const answers: unknown[] = [];
      for (const [type, values] of [
        ["NUMERIC", "(NUMERIC '1.5'), (NUMERIC '2.5')"],
        ["FLOAT64", "(4.0)"],
        ["INT64", "(1), (-1), (2)"],
      ]) {
        await run(`CREATE OR REPLACE TABLE d.numbers (x ${type})`);
        await run(`INSERT INTO d.numbers (x) VALUES ${values}`);
        for (let i = 0; i < 2; i++) answers.push(...(await run(mean)));
      }
      const shown = answers.map((row) => Object.values(row as object).join());
      assert.deepEqual(shown, ["2,2", "2,2", "4,1", "4,1", "1.5,2", "1.5,2"]);
    } finally {
      await emulator.stop();
    }
  });
});
