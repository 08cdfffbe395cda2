import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually, useIngest, type TestReplica, type TestTopic } from "../testing/fixture";
import { metricsOf } from "../testing/metrics";
import { post, postBatch, sampleEvent } from "../testing/requests";

describe("key files of a running replica", () => {
  const ingest = useIngest();
  let directory: string;
  let file: string;
  let topic: TestTopic;
  let replica: TestReplica;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "keys-"));
    file = join(directory, "write-keys");
    writeFileSync(file, "old-secret\n");
    topic = await ingest.freshTopic();
    replica = await ingest.startReplica({ TOPIC: topic.name, WRITE_KEYS_FILE: file });
  });
  after(() => rmSync(directory, { recursive: true }));

  const log = (): string => readFileSync(replica.process.logFile, "utf8");
  const send = async (key: string, eventId: string): Promise<number> =>
    (await post(replica.url, sampleEvent({ event_id: eventId }), { "x-write-key": key })).status;
  const replace = (text: string): void => {
    writeFileSync(`${file}.next`, text);
    renameSync(`${file}.next`, file);
  };

  it("rotating keys under load fails no request", async () => {
    let key = "old-secret";
    let done = false;
    const statuses = new Map<number, number>();
    let sent = 0;
    const pending = new Set<Promise<number>>();
    const load = Promise.all(
      Array.from({ length: 8 }, async () => {
        while (!done) {
          const request = send(key, `load-${sent++}`);
          pending.add(request);
          const status = await request;
          pending.delete(request);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      }),
    );
    replace('{"shop": ["old-secret", "new-secret"]}');
    await eventually(async () => (await send("new-secret", "probe")) === 204, "the new key is valid");
    key = "new-secret";
    await Promise.all(pending);
    replace('{"shop": ["new-secret"]}');
    await eventually(async () => (await send("old-secret", "old")) === 401, "the old key is not valid any more");
    done = true;
    await load;
    assert.deepEqual([...statuses], [[204, sent]]);
    for (const eventId of ["load-0", `load-${sent - 1}`]) await topic.message(eventId);
  });

  it("a replica keeps its keys while the key file is broken and reloads them on SIGHUP", async () => {
    replace("not a key");
    process.kill(replica.process.pid, "SIGHUP");
    await eventually(() => /write keys were not changed/.test(log()), "a log line");
    const metrics = await metricsOf(replica.url);
    assert.deepEqual([metrics.get("ingest_write_keys"), metrics.get("ingest_write_keys_stale")], [1, 1]);
    assert.equal(await send("new-secret", "after-broken"), 204);
    replace("third-secret");
    process.kill(replica.process.pid, "SIGHUP");
    await eventually(async () => (await send("third-secret", "third")) === 204, "the third key");
    assert.match(log(), /"reloading the key files"[^]*"write keys changed"/);
    assert.equal(await send("new-secret", "too-late"), 401);
    assert.equal((await fetch(`${replica.url}/healthz`)).status, 200);
  });

  it("the log of a replica contains no key", () => {
    assert.match(log(), /"names":\["shop"\]/);
    assert.doesNotMatch(log(), /secret/);
  });
});

describe("rate limits of a running replica", () => {
  const ingest = useIngest();
  const LIMITS = { ADDRESS_RATE_LIMIT: "0.01", ADDRESS_RATE_BURST: "2" };
  const from = (replica: TestReplica, address: string): Promise<Response> =>
    post(replica.url, sampleEvent(), { "x-forwarded-for": address });

  it("a replica limits each address that a trusted proxy reports and publishes no refused event", async () => {
    const topic = await ingest.freshTopic();
    const replica = await ingest.startReplica({ TOPIC: topic.name, TRUSTED_PROXIES: "127.0.0.0/8", ...LIMITS });
    for (const address of ["192.0.2.1", "192.0.2.2"]) {
      for (const status of [204, 204, 429]) assert.equal((await from(replica, address)).status, status);
    }
    const last = [sampleEvent({ event_id: "refused" })];
    const refused = await postBatch(replica.url, last, { "x-forwarded-for": "192.0.2.1" });
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers.get("retry-after")) > 60);
    assert.equal((await postBatch(replica.url, [sampleEvent({ event_id: "taken" })])).status, 200);
    await topic.message("taken");
    assert.equal(topic.messages.size, 5);
    assert.doesNotMatch(readFileSync(replica.process.logFile, "utf8"), /192\.0\.2|missing from --trusted-proxies/);
  });

  it("clients behind an untrusted proxy share one rate limit, which is logged once", async () => {
    const topic = await ingest.freshTopic();
    const replica = await ingest.startReplica({ TOPIC: topic.name, ...LIMITS });
    for (const [i, status] of [204, 204, 429, 429].entries()) {
      assert.equal((await from(replica, `192.0.2.${i}`)).status, status);
    }
    const log = readFileSync(replica.process.logFile, "utf8");
    assert.equal(log.split("missing from --trusted-proxies").length, 2);
    assert.doesNotMatch(log, /192\.0\.2/);
  });
});
