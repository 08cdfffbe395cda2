import assert from "node:assert/strict";
import { startPubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { eventually, useIngest, type TestReplica } from "../testing/fixture";
import { eventsInFlight, metricsOf } from "../testing/metrics";
import { startRelay } from "@eventlogger/process/testing/relay";
import { errorsOf, post, postBatch, sampleEvent } from "../testing/requests";

const TIMEOUT_MS = 1500;

function failuresLogged({ process: child }: TestReplica): number {
  return child.logTail(1000).split('"publishing is failing"').length - 1;
}

describe("when Pub/Sub is away", () => {
  const ingest = useIngest();

  it("while Pub/Sub hangs, a POST is answered with 503 and Retry-After after the publish timeout, and works again afterwards", async () => {
    const topic = await ingest.freshTopic();
    const replica = await ingest.startReplica({
      TOPIC: topic.name,
      PUBLISH_TIMEOUT: `${TIMEOUT_MS}ms`,
      MAX_IN_FLIGHT: "20",
    });
    // The first connection may take longer than the timeout.
    await eventually(async () => (await post(replica.url, sampleEvent())).status === 204, "204");
    const timedOut = 'ingest_publish_duration_seconds_count{outcome="timeout"}';
    const timeoutsBefore = (await metricsOf(replica.url)).get(timedOut) ?? 0;
    const failuresBefore = failuresLogged(replica);

    process.kill(ingest.emulator.process.pid, "SIGSTOP");
    try {
      const start = Date.now();
      const responses = await Promise.all(
        Array.from({ length: 20 }, (_, i) => post(replica.url, sampleEvent({ event_id: `during-${i}` }))),
      );
      const elapsed = Date.now() - start;
      assert.ok(elapsed >= TIMEOUT_MS - 50, `${elapsed} ms`);
      for (const response of responses) {
        assert.equal(response.status, 503);
        assert.ok(Number(response.headers.get("retry-after")) >= 1);
        assert.match((await errorsOf(response))[0]?.message ?? "", /Pub\/Sub did not answer in time/);
      }
      assert.equal((await metricsOf(replica.url)).get(timedOut), timeoutsBefore + 20);
      const notReady = await fetch(`${replica.url}/readyz`);
      assert.equal(notReady.status, 503);
      assert.match(await notReady.text(), /Publishing to Pub\/Sub topic topic-\d+ is failing: /);
      assert.equal((await fetch(`${replica.url}/healthz`)).status, 200);
    } finally {
      process.kill(ingest.emulator.process.pid, "SIGCONT");
    }

    await eventually(async () => (await fetch(`${replica.url}/readyz`)).status === 200, "ready");
    assert.equal((await post(replica.url, sampleEvent({ event_id: "after" }))).status, 204);
    await topic.message("after");
    assert.equal(failuresLogged(replica), failuresBefore + 1, replica.process.logTail(100));
  });

  it("events above --max-in-flight are refused immediately and accepted again afterwards", async () => {
    const topic = await ingest.freshTopic();
    const replica = await ingest.startReplica({ TOPIC: topic.name, PUBLISH_TIMEOUT: "300s", MAX_IN_FLIGHT: "10" });
    assert.equal((await post(replica.url, sampleEvent())).status, 204);
    process.kill(ingest.emulator.process.pid, "SIGSTOP");
    let waiting: Promise<Response>[] = [];
    try {
      waiting = Array.from({ length: 10 }, () => post(replica.url, sampleEvent()));
      await eventsInFlight(replica.url, 10);
      // Answered while Pub/Sub hangs, long before the publish timeout.
      const refused = await Promise.all(Array.from({ length: 30 }, () => post(replica.url, sampleEvent())));
      for (const response of refused) {
        assert.equal(response.status, 503);
        assert.equal(response.headers.get("retry-after"), "1");
        assert.match((await errorsOf(response))[0]?.message ?? "", /Too many events/);
      }
    } finally {
      process.kill(ingest.emulator.process.pid, "SIGCONT");
    }
    // They waited less than the publish timeout: all are accepted.
    assert.deepEqual(
      (await Promise.all(waiting)).map((r) => r.status),
      Array<number>(10).fill(204),
    );
    assert.equal((await post(replica.url, sampleEvent())).status, 204);
  });

  it("a batch that is not fully acknowledged is answered with 503 and counts once after a retry, also without ids", async () => {
    const topic = await ingest.freshTopic();
    const replica = await ingest.startReplica({ TOPIC: topic.name, PUBLISH_TIMEOUT: "5s", MAX_IN_FLIGHT: "50" });
    const batch = Array.from({ length: 100 }, (_, i) => sampleEvent({ page: `/${i}` }));
    process.kill(ingest.emulator.process.pid, "SIGSTOP");
    try {
      // One batch may exceed the limit; a second one is refused.
      const first = postBatch(replica.url, batch);
      await eventsInFlight(replica.url, 100);
      const second = await postBatch(replica.url, [{}]);
      assert.match((await errorsOf(second))[0]?.message ?? "", /Too many events/);
      const answer = await first;
      assert.equal(answer.status, 503);
      assert.ok(Number(answer.headers.get("retry-after")) >= 1);
      assert.match((await errorsOf(answer))[0]?.message ?? "", /Pub\/Sub did not answer in time/);
    } finally {
      process.kill(ingest.emulator.process.pid, "SIGCONT");
    }
    await eventually(async () => (await postBatch(replica.url, batch)).status === 200, "200");
    assert.equal((await post(replica.url, sampleEvent({ event_id: "after" }))).status, 204);
    await topic.message("after");
    await eventually(() => topic.messages.size >= 101, "all events");
    // The frozen messages may have been published too, with the same ids.
    assert.equal(topic.messages.size, 101);
  });

  it("the size of the events in flight is limited", async () => {
    const topic = await ingest.freshTopic();
    const replica = await ingest.startReplica({
      TOPIC: topic.name,
      PUBLISH_TIMEOUT: "300s",
      MAX_IN_FLIGHT_BYTES: "20000",
    });
    process.kill(ingest.emulator.process.pid, "SIGSTOP");
    let waiting: Promise<Response>[] = [];
    try {
      const large = sampleEvent({ properties: { x: "y".repeat(11_000) } });
      waiting = [post(replica.url, large), post(replica.url, large)];
      await eventsInFlight(replica.url, 2);
      assert.equal((await post(replica.url, sampleEvent())).status, 503);
    } finally {
      process.kill(ingest.emulator.process.pid, "SIGCONT");
    }
    await Promise.all(waiting);
  });

  it("with a missing topic a POST is answered with 503, and /readyz reports the reason", async () => {
    const replica = await ingest.startReplica({ TOPIC: "no-such-topic" });
    const reason = /no-such-topic cannot be reached: .*NOT_FOUND/;
    const unused = async (): Promise<Response> => fetch(`${replica.url}/readyz`);
    await eventually(async () => reason.test(await (await unused()).text()), "the reason");
    assert.equal((await unused()).status, 503);
    const response = await post(replica.url, sampleEvent());
    assert.equal(response.status, 503);
    assert.ok(Number(response.headers.get("retry-after")) >= 1);
    const readiness = await fetch(`${replica.url}/readyz`);
    assert.equal(readiness.status, 503);
    assert.match(await readiness.text(), /Publishing to Pub\/Sub topic no-such-topic is failing: .*NOT_FOUND/);
  });

  it("events are accepted again after Pub/Sub was unreachable", async () => {
    const logFile = `${ingest.emulator.process.logFile}.second`;
    const first = await startPubSubEmulator({ logFile });
    const replica = await ingest.startReplica({ PUBSUB_EMULATOR_HOST: first.host, PUBLISH_TIMEOUT: "1s" });
    await first.stop();
    for (let i = 0; i < 5; i++) assert.equal((await post(replica.url, sampleEvent())).status, 503);
    const second = await startPubSubEmulator({ logFile, port: Number(first.host.split(":")[1]) });
    try {
      await fetch(`http://${second.host}/v1/projects/demo-project/topics/events`, { method: "PUT" });
      await eventually(async () => (await post(replica.url, sampleEvent())).status === 204, "204");
    } finally {
      await second.stop();
    }
  });

  it("events are accepted again after the connection has died silently", async () => {
    const topic = await ingest.freshTopic();
    const relay = await startRelay(ingest.emulator.host);
    try {
      const replica = await ingest.startReplica({
        TOPIC: topic.name,
        PUBSUB_EMULATOR_HOST: relay.host,
        PUBLISH_TIMEOUT: "1s",
      });
      await eventually(async () => (await post(replica.url, sampleEvent())).status === 204, "204");
      relay.forgetConnections();
      assert.equal((await post(replica.url, sampleEvent())).status, 503);
      await eventually(async () => (await post(replica.url, sampleEvent())).status === 204, "204");
      assert.equal((await fetch(`${replica.url}/readyz`)).status, 200);
    } finally {
      await relay.stop();
    }
  });

  it("events are accepted again after a network that swallowed connection attempts has recovered", async () => {
    const topic = await ingest.freshTopic();
    const relay = await startRelay(ingest.emulator.host);
    try {
      relay.swallow();
      const replica = await ingest.startReplica({
        TOPIC: topic.name,
        PUBSUB_EMULATOR_HOST: relay.host,
        PUBLISH_TIMEOUT: "1s",
      });
      assert.equal((await post(replica.url, sampleEvent())).status, 503);
      await relay.restore();
      await eventually(async () => (await post(replica.url, sampleEvent())).status === 204, "204");
    } finally {
      await relay.stop();
    }
  });
});
