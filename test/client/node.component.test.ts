import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { eventually, useIngest, type TestTopic } from "@eventlogger/ingest/testing/fixture";
import { ensureNode } from "@eventlogger/process/testing/nodeVersions";
import { createClient, type Drop } from "@eventlogger/client";
import { useServices, type Service } from "./testing/service";

const FILE = pathToFileURL(join(repositoryRoot, "packages", "client", "dist", "eventlogger.mjs")).href;

const SESSION = { session_id: "s-1" };

describe("the client in Node", () => {
  const ingest = useIngest();
  const services = useServices(ingest);
  let topic: TestTopic;
  let service: Service;
  before(async () => {
    topic = await ingest.freshTopic();
    service = await services.start(topic, { writeKey: "k" });
  });

  async function assertArrived(tracked: readonly (string | null)[]): Promise<void> {
    for (const id of tracked) await topic.message(id as string);
  }

  it("the Node client sends each event once and reports rejected events with the reason", async () => {
    const drops: Drop[] = [];
    const client = createClient({
      url: service.url,
      writeKey: "k",
      maxQueue: 5000,
      onDrop: (drop) => drops.push(drop),
    });
    const tracked = Array.from({ length: 2000 }, (_, i) =>
      client.track("order", { session_id: `s-${i % 50}`, user_id: `u-${i % 40}`, properties: { i } }),
    );
    const bad = client.track("", { session_id: "s-0", page: "/x" });
    assert.deepEqual(await client.close(60_000), { sent: 2000, dropped: 1, pending: 0 });
    await assertArrived(tracked);
    for (const id of tracked) assert.equal(topic.deliveries(id as string), 1);
    assert.equal(topic.messages.size, 2000);
    assert.deepEqual(
      drops.map(({ event, reason, errors }) => [event.event_id, reason, errors[0]?.field]),
      [[bad, "rejected", "event_name"]],
    );
  });

  it("the Node client loses no event while the service restarts under load", async () => {
    const drops: Drop[] = [];
    const client = createClient({
      url: service.url,
      writeKey: "k",
      batchSize: 20,
      flushInterval: 20,
      maxQueue: 10_000,
      onDrop: (drop) => drops.push(drop),
    });
    const tracked: (string | null)[] = [];
    const load = setInterval(() => tracked.push(client.track("tick", SESSION), client.track("tock", SESSION)), 2);
    try {
      for (let i = 0; i < 2; i++) {
        const before = topic.messages.size;
        await eventually(() => topic.messages.size > before + 50, "events arrive");
        await service.goAway();
        await eventually(() => fetch(service.url).then(() => false, () => true), "no connections"); // prettier-ignore
        await service.comeBack();
      }
    } finally {
      clearInterval(load);
    }
    assert.deepEqual(await client.close(60_000), { sent: tracked.length, dropped: 0, pending: 0 });
    await assertArrived(tracked);
    assert.deepEqual(drops, []);
  });

  it("the Node client respects the rate limit of the service and loses no event", async () => {
    const env = { ADDRESS_RATE_LIMIT: "50", ADDRESS_RATE_BURST: "50" };
    const limited = await services.start(topic, { writeKey: "k", env });
    const drops: Drop[] = [];
    const client = createClient({
      url: limited.url,
      writeKey: "k",
      batchSize: 50,
      flushInterval: 10,
      onDrop: (drop) => drops.push(drop),
    });
    const tracked = Array.from({ length: 200 }, () => client.track("eager", SESSION));
    assert.deepEqual(await client.close(60_000), { sent: 200, dropped: 0, pending: 0 });
    await assertArrived(tracked);
    assert.deepEqual(drops, []);
    const statuses = limited.requests.map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 200).length, 4);
    assert.ok(statuses.includes(429));
  });

  it("the Node client needs a session_id, and lets a process exit once its events are sent, on Node 18, without close", async () => {
    const script = `
      import { createClient } from ${JSON.stringify(FILE)};
      const client = createClient({ url: ${JSON.stringify(service.url)}, writeKey: "k", flushInterval: 100 });
      let error;
      try { client.track("a"); } catch (e) { error = e.name; }
      const session = { session_id: "s-1" };
      console.log(process.versions.node, error, client.track("a", session), client.track("b", session));`;
    const child = spawn(ensureNode("18.20.8"), ["--input-type=module", "--eval", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [version, error, ...tracked] = (await text(child.stdout)).trim().split(" ");
    assert.match(version as string, /^18\./);
    assert.equal(error, "TypeError", "without session_id");
    assert.equal(tracked.length, 2);
    await assertArrived(tracked);
  });
});
