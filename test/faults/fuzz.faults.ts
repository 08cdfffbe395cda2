import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { useIngest } from "@eventlogger/ingest/testing/fixture";
import { metricsOf } from "@eventlogger/ingest/testing/metrics";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { printFigures } from "./faultReport";
import { fuzz } from "./fuzz/schemathesis";

const SECONDS = 60;
const TOPIC = "fuzzed";

describe("Requests generated from the OpenAPI description", function () {
  this.timeout(300_000);
  const warehouse = useBigQueryEmulator();
  const ingest = useIngest();

  it("valid and invalid generated requests are never answered with 5xx, and always as the description defines", async () => {
    const pubsub = pubSubClient({ project: warehouse.project });
    await pubsub.createTopic(TOPIC);
    await pubsub.close();
    const replica = await ingest.startReplica({
      PROJECT: warehouse.project,
      TOPIC,
      DATASET: await warehouse.freshDataset(),
      BIGQUERY_ENDPOINT: warehouse.emulator.url,
      LOG_LEVEL: "warn",
    });
    const directory = mkdtempSync(join(tmpdir(), "fuzz-"));
    try {
      const { ok, requests, output } = await fuzz(`${replica.url}/openapi.json`, directory, SECONDS, 1);
      assert.ok(ok, output);
      assert.ok(requests > 100, output);
      const metrics = await metricsOf(replica.url);
      const accepted = metrics.get('ingest_events_accepted_total{key=""}') ?? 0;
      assert.ok(accepted > 0, "some events are accepted");
      printFigures(`${requests} requests in ${SECONDS} s, ${accepted} events accepted, no 5xx`);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
