import assert from "node:assert/strict";
import { request, Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually, useIngest, type TestReplica } from "./testing/fixture";
import { post, sampleEvent } from "./testing/requests";

/** POSTs one event after the other over a kept connection until one fails; notes the ids that were answered with 204. */
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

describe("stopping a replica", function () {
  this.timeout(60_000);
  const ingest = useIngest();

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`a replica stopped by ${signal} under load exits with 0 and loses no acknowledged event`, async () => {
      const topic = await ingest.freshTopic();
      const replica = await ingest.startReplica({ TOPIC: topic.name });
      const acknowledged: string[] = [];
      const clients = Array.from({ length: 32 }, (_, i) => postUntilRefused(replica, `client-${i}`, acknowledged));
      await eventually(() => acknowledged.length > 300, "300 events acknowledged", 20_000);
      const start = Date.now();
      process.kill(replica.process.pid, signal);
      assert.deepEqual(await replica.process.exited, { code: 0, signal: null });
      assert.ok(Date.now() - start < 10_000);
      await Promise.all(clients);
      for (const id of acknowledged) await topic.message(id);
    });
  }

  it("a stopping replica answers requests that wait for Pub/Sub before it exits", async () => {
    const topic = await ingest.freshTopic();
    const replica = await ingest.startReplica({ TOPIC: topic.name });
    assert.equal((await post(replica.url, sampleEvent())).status, 204);
    process.kill(ingest.emulator.process.pid, "SIGSTOP");
    let waiting: Promise<Response>;
    try {
      waiting = post(replica.url, sampleEvent({ event_id: "waiting" }));
      await sleep(200);
      process.kill(replica.process.pid, "SIGTERM");
      await sleep(700);
      assert.ok(replica.process.running);
      await assert.rejects(fetch(`${replica.url}/healthz`), "it accepts no new connections");
    } finally {
      process.kill(ingest.emulator.process.pid, "SIGCONT");
    }
    assert.equal((await waiting).status, 204);
    assert.deepEqual(await replica.process.exited, { code: 0, signal: null });
    await topic.message("waiting");
  });

  it("a stopping replica publishes the event of a client that disconnected early", async () => {
    const topic = await ingest.freshTopic();
    const replica = await ingest.startReplica({ TOPIC: topic.name });
    process.kill(ingest.emulator.process.pid, "SIGSTOP");
    try {
      const abort = new AbortController();
      const body = JSON.stringify(sampleEvent({ event_id: "impatient" }));
      const headers = { "content-type": "application/json" };
      const answer = fetch(`${replica.url}/event/`, { method: "POST", headers, body, signal: abort.signal });
      await sleep(300);
      abort.abort();
      await assert.rejects(answer);
      process.kill(replica.process.pid, "SIGTERM");
      await sleep(500);
    } finally {
      process.kill(ingest.emulator.process.pid, "SIGCONT");
    }
    assert.deepEqual(await replica.process.exited, { code: 0, signal: null });
    await topic.message("impatient");
  });

  it("a replica that cannot stop within the drain timeout exits with 1", async () => {
    const topic = await ingest.freshTopic();
    const replica = await ingest.startReplica({ TOPIC: topic.name, DRAIN_TIMEOUT: "500ms" });
    process.kill(ingest.emulator.process.pid, "SIGSTOP");
    try {
      const waiting = post(replica.url, sampleEvent()).catch((error: unknown) => error);
      await sleep(200);
      const start = Date.now();
      process.kill(replica.process.pid, "SIGTERM");
      assert.deepEqual(await replica.process.exited, { code: 1, signal: null });
      assert.ok(Date.now() - start < 1500);
      assert.ok((await waiting) instanceof Error, "never 204 for what was not acknowledged");
    } finally {
      process.kill(ingest.emulator.process.pid, "SIGCONT");
    }
    assert.match(replica.process.logTail(), /stopped by force/);
  });
});
