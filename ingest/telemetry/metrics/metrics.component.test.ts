import assert from "node:assert/strict";
import { useIngest } from "../../testing/fixture";
import { eventsInFlight, metricsOf } from "../../testing/metrics";
import { post, postBatch, sampleEvent, sendRaw } from "../../testing/requests";

describe("the metrics of a running replica", () => {
  const ingest = useIngest();

  it("/metrics reports publishes, events in flight and the process", async () => {
    const topic = await ingest.freshTopic();
    const replica = await ingest.startReplica({ TOPIC: topic.name, PUBLISH_TIMEOUT: "300s" });
    assert.equal((await post(replica.url, sampleEvent())).status, 204);
    process.kill(ingest.emulator.process.pid, "SIGSTOP");
    let waiting: Promise<Response>;
    try {
      waiting = postBatch(replica.url, [sampleEvent(), sampleEvent(), sampleEvent()]);
      await eventsInFlight(replica.url, 3);
      assert.ok(((await metricsOf(replica.url)).get("ingest_bytes_in_flight") ?? 0) > 100);
    } finally {
      process.kill(ingest.emulator.process.pid, "SIGCONT");
    }
    assert.equal((await waiting).status, 200);
    await sendRaw(replica.port, "GARBAGE\r\n\r\n");
    const metrics = await metricsOf(replica.url);
    assert.equal(metrics.get("ingest_events_in_flight"), 0);
    assert.equal(metrics.get("ingest_bytes_in_flight"), 0);
    assert.equal(metrics.get('ingest_publish_duration_seconds_count{outcome="acknowledged"}'), 2);
    assert.equal(metrics.get('ingest_events_accepted_total{key=""}'), 4);
    assert.equal(metrics.get('ingest_http_unreadable_total{code="400"}'), 1);
    for (const name of ["process_resident_memory_bytes", "nodejs_eventloop_lag_p99_seconds", "ingest_body_bytes"]) {
      assert.ok(metrics.has(name), name);
    }
    assert.ok((metrics.get("ingest_http_connections") ?? 0) >= 1);
  });

  it("/metrics reports failed publishes", async () => {
    const replica = await ingest.startReplica({ TOPIC: "no-such-topic" });
    const impatient = await ingest.startReplica({ TOPIC: "no-such-topic", PUBLISH_TIMEOUT: "300ms" });
    assert.equal((await post(replica.url, sampleEvent())).status, 503);
    assert.equal((await metricsOf(replica.url)).get('ingest_publish_duration_seconds_count{outcome="refused"}'), 1);
    process.kill(ingest.emulator.process.pid, "SIGSTOP");
    try {
      assert.equal((await post(impatient.url, sampleEvent())).status, 503);
    } finally {
      process.kill(ingest.emulator.process.pid, "SIGCONT");
    }
    assert.equal((await metricsOf(impatient.url)).get('ingest_publish_duration_seconds_count{outcome="timeout"}'), 1);
  });
});
