import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { IngestFixture, TestReplica } from "@eventlogger/ingest/testing/fixture";
import { freePorts } from "@eventlogger/process/ports";
import { startNginx } from "@eventlogger/nginx/testing/startNginx";
import { memoryText, statusesText, topicText } from "./figures";
import { MemoryWatch } from "./memory";
import { RecordingLoad } from "./recordingLoad";
import { TopicReader } from "./topicReader";
import { assertWell } from "./well";

/** Load before a fault, ms: long enough for memory to have found its level. */
const WARM_UP_MS = 6000;

export const nginxInstalled = spawnSync("nginx", ["-v"]).status === 0;

/** Replicas behind an nginx with its default limits. */
export interface Tier {
  /** nginx's. */
  readonly port: number;
  readonly replicas: readonly TestReplica[];
  /** Goes through nginx. */
  readonly load: RecordingLoad;
  /** Starts a replica again on its port. */
  restart(index: number): Promise<void>;
}

export interface TierFault {
  /** A name of its own. */
  readonly run: string;
  readonly replicas: number;
  /** Requests of others that may be refused or broken off meanwhile; they are sent again. */
  readonly maxFailures: number;
  /**
   * What the process takes for the first time it may keep (heap, buffers of sockets): done before memory is looked at, so
   * that only what is taken again and again shows.
   */
  prepare?(tier: Tier): Promise<unknown>;
  /** Does it. @returns figures of its own */
  act(tier: Tier): Promise<readonly string[]>;
}

/**
 * Does something to a tier under load.
 * @returns figures to print
 * @throws AssertionError when an event is lost that was promised, others are harmed, or the tier is not as it was after it
 */
export async function passTierFault(ingest: IngestFixture, fault: TierFault): Promise<readonly string[]> {
  const directory = mkdtempSync(join(tmpdir(), "faults-"));
  const reader = await TopicReader.create(ingest.pubsub, fault.run);
  const start = (port: number): Promise<TestReplica> =>
    ingest.startReplica({ TOPIC: reader.topic, PORT: String(port), LOG_LEVEL: "warn" });
  const ports = await freePorts(fault.replicas);
  const replicas = await Promise.all(ports.map(start));
  const { port, process: nginx } = await startNginx(directory, ports);
  const load = new RecordingLoad({ port, run: fault.run });
  try {
    await sleep(WARM_UP_MS);
    assert.equal(load.failures, 0, "before the fault all is well");
    const tier: Tier = {
      port,
      replicas,
      load,
      async restart(index) {
        replicas[index] = await start(ports[index] as number);
      },
    };
    await fault.prepare?.(tier);
    const memory = new MemoryWatch((replicas[0] as TestReplica).process.pid);
    const own = await fault.act(tier);
    await sleep(2000);
    load.mark();
    await sleep(2000);
    await load.stop();

    const contents = await reader.readToEnd(load.acknowledged);
    const memoryFigures = await memory.settle();
    const figures = [
      ...own,
      `answers of others ${statusesText(load.statuses)}`,
      topicText(contents, load.acknowledged.length),
      memoryText(memoryFigures),
    ];
    const said = figures.join("\n");
    assert.deepEqual(contents.missing, []);
    assert.ok(load.failures <= fault.maxFailures, said);
    assert.equal(load.recovery().lastFailureMs, 0, `others are served again: ${said}`);
    assert.ok(memoryFigures.after <= memory.bound, said);
    for (const { url } of replicas) await assertWell(url);
    return figures;
  } finally {
    await load.stop();
    await nginx.stop();
    await Promise.all(replicas.map((replica) => replica.process.stop()));
    await reader.close();
    rmSync(directory, { recursive: true, force: true });
  }
}
