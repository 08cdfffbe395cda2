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

describe("the emulators", function () {
  this.timeout(300_000); // the first run installs the BigQuery emulator
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
});
