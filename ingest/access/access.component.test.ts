import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually, useIngest, type TestReplica, type TestTopic } from "../testing/fixture";
import { post, sampleEvent } from "../testing/requests";

describe("keys of a running replica", function () {
  this.timeout(30_000);
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

  it("are rotated under load without a request that fails", async () => {
    let key = "old-secret";
    let done = false;
    const statuses = new Map<number, number>();
    let sent = 0;
    const load = Promise.all(
      Array.from({ length: 8 }, async () => {
        while (!done) {
          const status = await send(key, `load-${sent++}`);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      }),
    );
    replace('{"shop": ["old-secret", "new-secret"]}');
    await eventually(async () => (await send("new-secret", "probe")) === 204, "the new key is valid");
    key = "new-secret";
    await sleep(100);
    replace('{"shop": ["new-secret"]}');
    await eventually(async () => (await send("old-secret", "old")) === 401, "the old key is not valid any more");
    done = true;
    await load;
    assert.deepEqual([...statuses], [[204, sent]]);
    for (const eventId of ["load-0", `load-${sent - 1}`]) await topic.message(eventId);
  });

  it("stay when the file is broken, and are read at once on SIGHUP", async () => {
    replace("not a key");
    process.kill(replica.process.pid, "SIGHUP");
    await eventually(() => /write keys stay as they were/.test(log()), "the log tells");
    assert.equal(await send("new-secret", "after-broken"), 204);
    replace("third-secret");
    process.kill(replica.process.pid, "SIGHUP");
    await eventually(async () => (await send("third-secret", "third")) === 204, "the third key", 800);
    assert.equal(await send("new-secret", "too-late"), 401);
    assert.equal((await fetch(`${replica.url}/healthz`)).status, 200);
  });

  it("are in no log", () => {
    assert.match(log(), /"names":\["shop"\]/);
    assert.doesNotMatch(log(), /secret/);
  });
});
