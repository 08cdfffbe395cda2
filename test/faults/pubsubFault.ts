import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { IngestFixture } from "@eventlogger/ingest/testing/fixture";
import { startRelay, type Relay } from "@eventlogger/process/testing/relay";
import { waitUntil } from "@eventlogger/process/wait";
import { recoveryText } from "./faultReport";
import { runLoadTest } from "./loadTest";
import { RecordingLoad } from "./recordingLoad";
import { assertNotReady } from "./replicaHealth";
import { TopicReader } from "./topicReader";

/** A replica that gets no answer from Pub/Sub for this long reports that it is not ready, ms. */
const NOTICED_WITHIN_MS = 10_000;

/** A fault between a replica and Pub/Sub. */
export interface PubSubFault {
  readonly name: string;
  begin(relay: Relay, emulatorPid: number): unknown;
  end(relay: Relay, emulatorPid: number): unknown;
  /** Whether some events get through during the fault. */
  readonly isPartial?: boolean;
}

export const unreachable: PubSubFault = {
  name: "is unreachable",
  begin: (relay) => relay.cut(),
  end: (relay) => relay.restore(),
};

export const swallowing: PubSubFault = {
  name: "accepts connections but never answers",
  begin: (relay) => relay.swallow(),
  end: (relay) => relay.restore(),
};

export const slow: PubSubFault = {
  name: "is slow (200 ms each way) and resets a connection at every tenth packet",
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
  /** Load without a failure before the fault, ms: long enough for memory to reach its level. */
  readonly warmUpMs: number;
  readonly faultMs: number;
  /** Load after the recovery, ms. */
  readonly afterMs: number;
  /** Once Pub/Sub is back, all requests that are sent after this time succeed, ms. */
  readonly recoveryLimitMs: number;
}

/**
 * Causes a fault of Pub/Sub to a replica under load.
 * @param run name of the topic and part of the event ids; differs between faults
 * @returns figures to print
 * @throws AssertionError when an acknowledged event is lost, or the replica does not recover
 */
export async function testPubSubFault(
  ingest: IngestFixture,
  fault: PubSubFault,
  run: string,
  { warmUpMs, faultMs, afterMs, recoveryLimitMs }: Timing,
): Promise<readonly string[]> {
  const emulatorPid = ingest.emulator.process.pid;
  const reader = await TopicReader.create(ingest.pubsub, run);
  const relay = await startRelay(ingest.emulator.host);
  const replica = await ingest.startReplica({ TOPIC: reader.topic, PUBSUB_EMULATOR_HOST: relay.host });
  const load = new RecordingLoad({ port: replica.port, run });
  const act = async (): Promise<readonly string[]> => {
    const before = load.acknowledged.length;
    let during = 0;
    try {
      await fault.begin(relay, emulatorPid);
      await sleep(faultMs);
      during = load.acknowledged.length - before;
      if (!fault.isPartial && faultMs > NOTICED_WITHIN_MS) await assertNotReady(replica.url);
    } finally {
      load.mark();
      await fault.end(relay, emulatorPid);
    }
    const hasRecovered = (): boolean => load.recovery().firstSuccessMs < Infinity;
    await waitUntil("a request that succeeds", hasRecovered, { timeoutMs: recoveryLimitMs });
    await sleep(afterMs);
    return [recoveryText(load.recovery()), `${during} events accepted during the fault`];
  };
  try {
    const urls = (): string[] => [replica.url];
    const figures = await runLoadTest({ reader, load, pid: replica.process.pid, warmUpMs, act, urls });
    assert.ok(load.recovery().lastFailureMs < recoveryLimitMs, figures.join("\n"));
    return figures;
  } finally {
    await load.stop();
    await replica.process.stop();
    await reader.close();
    await relay.stop();
  }
}
