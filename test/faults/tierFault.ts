import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IngestFixture, TestReplica } from "@eventlogger/ingest/testing/fixture";
import { startNginx } from "@eventlogger/nginx/testing/startNginx";
import { freePorts } from "@eventlogger/process/ports";
import { runLoadTest, waitForSteadyLoad } from "./loadTest";
import { RecordingLoad } from "./recordingLoad";
import { TopicReader } from "./topicReader";

const WARM_UP_MS = 6000;
/** After the fault the load runs this long without a failure, ms. */
const STEADY_MS = 2000;

export const nginxInstalled = spawnSync("nginx", ["-v"]).status === 0;

/** Replicas behind an nginx with its default limits. */
export interface Tier {
  /** Port of nginx. */
  readonly port: number;
  readonly replicas: readonly TestReplica[];
  /** Load through nginx. */
  readonly load: RecordingLoad;
  /** Restarts a replica on its port. */
  restart(index: number): Promise<void>;
}

export interface TierFault {
  /** Name of the topic and part of the event ids; differs between faults. */
  readonly run: string;
  readonly replicas: number;
  /** How many requests of the load may be refused or cut off because of the fault. They are retried. */
  readonly maxFailures: number;
  /** Causes the fault once before memory is measured. */
  prepare?(tier: Tier): Promise<unknown>;
  /** Causes the fault. @returns figures of its own */
  act(tier: Tier): Promise<readonly string[]>;
}

/**
 * Causes a fault to replicas behind nginx under load.
 * @returns figures to print
 * @throws AssertionError when an acknowledged event is lost, too many requests fail, or the replicas do not recover
 */
export async function testTierFault(ingest: IngestFixture, fault: TierFault): Promise<readonly string[]> {
  const directory = mkdtempSync(join(tmpdir(), "faults-"));
  const reader = await TopicReader.create(ingest.pubsub, fault.run);
  const start = (port: number): Promise<TestReplica> =>
    ingest.startReplica({ TOPIC: reader.topic, PORT: String(port), LOG_LEVEL: "warn" });
  const ports = await freePorts(fault.replicas);
  const replicas = await Promise.all(ports.map(start));
  const { port, process: nginx } = await startNginx(directory, ports);
  const load = new RecordingLoad({ port, run: fault.run });
  const tier: Tier = {
    port,
    replicas,
    load,
    async restart(index) {
      replicas[index] = await start(ports[index] as number);
    },
  };
  let failuresBefore = 0;
  try {
    const figures = await runLoadTest({
      reader,
      load,
      pid: (replicas[0] as TestReplica).process.pid,
      warmUpMs: WARM_UP_MS,
      async prepare() {
        await fault.prepare?.(tier);
        failuresBefore = load.failures;
      },
      async act() {
        const own = await fault.act(tier);
        await waitForSteadyLoad(load, STEADY_MS);
        return own;
      },
      urls: () => replicas.map(({ url }) => url),
    });
    assert.ok(load.failures - failuresBefore <= fault.maxFailures, figures.join("\n"));
    return figures;
  } finally {
    await load.stop();
    await nginx.stop();
    await Promise.all(replicas.map((replica) => replica.process.stop()));
    await reader.close();
    rmSync(directory, { recursive: true, force: true });
  }
}
