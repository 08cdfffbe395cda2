import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BigQuery } from "@google-cloud/bigquery";
import { PubSub } from "@google-cloud/pubsub";
import { startBigQueryEmulator, startPubSubEmulator } from "./emulators";
import { freePort } from "@eventlogger/process/ports";

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

  it("BigQuery serves its tables again after a restart", async () => {
    const options = { dataDir: join(dir, "bigquery"), logFile: join(dir, "bigquery.log"), port: await freePort() };
    const first = await startBigQueryEmulator(options);
    const bigquery = new BigQuery({ projectId: "demo-project", apiEndpoint: first.url });
    try {
      await bigquery.createDataset("d");
      await bigquery.dataset("d").createTable("t", { schema: [{ name: "n", type: "INT64" }] });
      await bigquery
        .dataset("d")
        .table("t")
        .insert([{ n: 42 }]);
    } finally {
      await first.stop();
    }
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
