import assert from "node:assert/strict";
import { request, Agent } from "node:http";
import { eventually, useIngest, type TestReplica } from "./testing/fixture";
import { eventsInFlight } from "./testing/metrics";
import { post, sampleEvent } from "./testing/requests";

/** POSTs one event after the other over a kept connection until one fails; records the ids answered with 204. */
async function postUntilRefused(replica: TestReplica, name: string, acknowledged: string[]): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; ; i++) {
    const event_id = `${name}-${i}`;
    const status = await new Promise<number>((resolve) => {
      const headers = { "content-type": "application/json" };
      const options = { method: "POST", port: replica.port, path: "/event/", agent, headers };
      const req = request(options, (res) => {
        res.resume();
        res.on("end", () => resolve(res.statusCode ?? 0));
      });
      req.on("error", () => resolve(0));
      req.end(JSON.stringify(sampleEvent({ event_id })));
    });
    if (status === 204) acknowledged.push(event_id);
    else {
      agent.destroy();
      return;
    }
  }
}

const isUnreachable = ({ url }: TestReplica): Promise<boolean> =>
  fetch(`${url}/healthz`).then(
    () => false,
    () => true,
  );

describe("stopping a replica", () => {
  const ingest = useIngest();

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`a replica stopped by ${signal} under load exits with 0 and loses no acknowledged event`, async () => {
      const topic = await ingest.freshTopic();
      const replica = await ingest.startReplica({ TOPIC: topic.name });
      const acknowledged: string[] = [];
      const clients = Array.from({ length: 32 }, (_, i) => postUntilRefused(replica, `client-${i}`, acknowledged));
      await eventually(() => acknowledged.length > 300, "300 events acknowledged");
      // 0: within the drain timeout.
      process.kill(replica.process.pid, signal);
      assert.deepEqual(await replica.process.exited, { code: 0, signal: null });
      await Promise.all(clients);
      for (const id of acknowledged) await topic.message(id);
    });
  }

  it("a stopping replica answers requests that wait for Pub/Sub before it exits", async () => {
    const topic = await ingest.freshTopic();
    const replica = await ingest.startReplica({ TOPIC: topic.name, PUBLISH_TIMEOUT: "300s", DRAIN_TIMEOUT: "300s" });
    assert.equal((await post(replica.url, sampleEvent())).status, 204);
    process.kill(ingest.emulator.process.pid, "SIGSTOP");
    let waiting: Promise<Response>;
    try {
      waiting = post(replica.url, sampleEvent({ event_id: "waiting" }));
      await eventsInFlight(replica.url, 1);
      process.kill(replica.process.pid, "SIGTERM");
      await eventually(() => isUnreachable(replica), "no new connections");
      assert.ok(replica.process.running);
    } finally {
      process.kill(ingest.emulator.process.pid, "SIGCONT");
    }
    assert.equal((await waiting).status, 204);
    assert.deepEqual(await replica.process.exited, { code: 0, signal: null });
    await topic.message("waiting");
  });

  it("a stopping replica publishes the event of a client that disconnected early", async () => {
    const topic = await ingest.freshTopic();
    const replica = await ingest.startReplica({ TOPIC: topic.name, PUBLISH_TIMEOUT: "300s", DRAIN_TIMEOUT: "300s" });
    process.kill(ingest.emulator.process.pid, "SIGSTOP");
    try {
      const abort = new AbortController();
      const body = JSON.stringify(sampleEvent({ event_id: "impatient" }));
      const headers = { "content-type": "application/json" };
      const answer = fetch(`${replica.url}/event/`, { method: "POST", headers, body, signal: abort.signal });
      await eventsInFlight(replica.url, 1);
      abort.abort();
      await assert.rejects(answer);
      process.kill(replica.process.pid, "SIGTERM");
      await eventually(() => isUnreachable(replica), "no new connections");
      assert.ok(replica.process.running);
    } finally {
      process.kill(ingest.emulator.process.pid, "SIGCONT");
    }
    assert.deepEqual(await replica.process.exited, { code: 0, signal: null });
    await topic.message("impatient");
  });

  it("a replica that cannot stop within the drain timeout exits with 1", async () => {
    const topic = await ingest.freshTopic();
    const replica = await ingest.startReplica({ TOPIC: topic.name, DRAIN_TIMEOUT: "500ms", PUBLISH_TIMEOUT: "300s" });
    process.kill(ingest.emulator.process.pid, "SIGSTOP");
    try {
      const waiting = post(replica.url, sampleEvent()).catch((error: unknown) => error);
      await eventsInFlight(replica.url, 1);
      process.kill(replica.process.pid, "SIGTERM");
      assert.deepEqual(await replica.process.exited, { code: 1, signal: null });
      assert.ok((await waiting) instanceof Error, "never 204 for what was not acknowledged");
    } finally {
      process.kill(ingest.emulator.process.pid, "SIGCONT");
    }
    assert.match(replica.process.logTail(), /stopped by force/);
  });
});
