import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PubSub } from "@google-cloud/pubsub";
import { startPubSubEmulator, type PubSubEmulator } from "../../local/emulators";
import { setUpPubSub } from "./setup";

describe("setUpPubSub", function () {
  this.timeout(60_000);
  let dir: string;
  let emulator: PubSubEmulator;
  let pubsub: PubSub;
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), "pubsub-setup-"));
    emulator = await startPubSubEmulator({ logFile: join(dir, "log") });
    pubsub = new PubSub({ projectId: "demo-project", apiEndpoint: emulator.host, emulatorMode: true });
  });
  after(async () => {
    await pubsub?.close();
    await emulator?.stop();
    rmSync(dir, { recursive: true });
  });

  it("makes topic and subscription, then finds them there", async () => {
    const names = { topic: "events", subscription: "events-pipeline" };
    const outcomes = async (): Promise<string[]> => (await setUpPubSub(pubsub, names)).map((s) => s.outcome);
    assert.deepEqual(await outcomes(), ["created", "created"]);
    assert.deepEqual(await outcomes(), ["exists", "exists"]);
    const [metadata] = await pubsub.subscription("events-pipeline").getMetadata();
    assert.equal(metadata.ackDeadlineSeconds, 10);
    assert.equal(metadata.expirationPolicy?.ttl ?? null, null);
    assert.equal(metadata.enableMessageOrdering, false);
  });

  it("refuses a subscription of another topic", async () => {
    await setUpPubSub(pubsub, { topic: "other", subscription: "taken" });
    await assert.rejects(
      setUpPubSub(pubsub, { topic: "events", subscription: "taken" }),
      /Subscription taken .*topics\/other, not to .*topics\/events.*--subscription/,
    );
  });
});
