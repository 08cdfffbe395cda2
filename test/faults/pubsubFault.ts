import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { IngestFixture } from "@eventlogger/ingest/testing/fixture";
import { startRelay, type Relay } from "@eventlogger/ingest/testing/relay";
import { memoryText, recoveryText, statusesText, topicText } from "./figures";
import { MemoryWatch } from "./memory";
import { RecordingLoad } from "./recordingLoad";
import { TopicReader } from "./topicReader";
import { assertWell } from "./well";

/** Within so long after Pub/Sub is back everything is answered by 2xx again, ms. */
const RECOVERED_WITHIN_MS = 5000;

/** Without an answer for so long Pub/Sub is taken to be away, ms. */
const NOTICED_WITHIN_MS = 10_000;

/** Something that comes between a replica and Pub/Sub. */
export interface PubSubFault {
  readonly name: string;
  begin(relay: Relay, emulatorPid: number): unknown;
  end(relay: Relay, emulatorPid: number): unknown;
  /** Some events get through while it lasts. */
  readonly isPartial?: boolean;
}

export const unreachable: PubSubFault = {
  name: "cannot be reached",
  begin: (relay) => relay.cut(),
  end: (relay) => relay.restore(),
};

export const swallowing: PubSubFault = {
  name: "swallows all that is sent, on new connections as well, which stay dead",
  begin: (relay) => relay.swallow(),
  end: (relay) => relay.restore(),
};

export const slow: PubSubFault = {
  name: "is slow: 200 ms each way, and of ten pieces that are sent one resets the connection",
  begin: (relay) => relay.setConditions({ delayMs: 200, resetEvery: 10 }),
  end: (relay) => relay.setConditions({ delayMs: 0, resetEvery: 0 }),
  isPartial: true,
};

export const frozen: PubSubFault = {
  name: "is frozen",
  begin: (_, emulatorPid) => process.kill(emulatorPid, "SIGSTOP"),
  end: (_, emulatorPid) => process.kill(emulatorPid, "SIGCONT"),
};

export interface Timing {
  /** Load before the fault, ms: long enough for memory to have found its level. */
  readonly warmUpMs: number;
  readonly faultMs: number;
  /** Load after the fault, ms. */
  readonly afterMs: number;
}

async function assertUnwell(url: string): Promise<void> {
  assert.equal((await fetch(`${url}/readyz`)).status, 503, "readyz tells");
  assert.equal((await fetch(`${url}/healthz`)).status, 200, "the process is up");
}

/**
 * Puts a replica under load through a fault of Pub/Sub.
 * @param run a name of its own
 * @returns figures to print
 * @throws AssertionError when an event is lost that was promised, or the replica does not come back as it was
 */
export async function passFault(
  ingest: IngestFixture,
  fault: PubSubFault,
  run: string,
  { warmUpMs, faultMs, afterMs }: Timing,
): Promise<readonly string[]> {
  const emulatorPid = ingest.emulator.process.pid;
  const reader = await TopicReader.create(ingest.pubsub, run);
  const relay = await startRelay(ingest.emulator.host);
  const replica = await ingest.startReplica({ TOPIC: reader.topic, PUBSUB_EMULATOR_HOST: relay.host });
  const load = new RecordingLoad({ port: replica.port, run });
  try {
    await sleep(warmUpMs);
    assert.equal(load.failures, 0, "before the fault all is well");
    const memory = new MemoryWatch(replica.process.pid);

    await fault.begin(relay, emulatorPid);
    const before = load.acknowledged.length;
    let during = 0;
    try {
      await sleep(faultMs);
      during = load.acknowledged.length - before;
      if (!fault.isPartial && faultMs > NOTICED_WITHIN_MS) await assertUnwell(replica.url);
    } finally {
      load.mark();
      await fault.end(relay, emulatorPid);
    }
    await sleep(afterMs);
    await load.stop();

    const recovery = load.recovery();
    const contents = await reader.readToEnd(load.acknowledged);
    const memoryFigures = await memory.settle();
    assert.deepEqual(contents.missing, []);
    assert.ok(recovery.firstSuccessMs < RECOVERED_WITHIN_MS, recoveryText(recovery));
    assert.ok(recovery.lastFailureMs < RECOVERED_WITHIN_MS, recoveryText(recovery));
    assert.ok(memoryFigures.after <= memory.bound, memoryText(memoryFigures));
    await assertWell(replica.url);
    return [
      recoveryText(recovery),
      `answers ${statusesText(load.statuses)}; ${during} events taken during the fault`,
      topicText(contents, load.acknowledged.length),
      memoryText(memoryFigures),
    ];
  } finally {
    await load.stop();
    await replica.process.stop();
    await reader.close();
    await relay.stop();
  }
}
