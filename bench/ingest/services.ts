import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import type { PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { REPLICA_FLAGS } from "@eventlogger/options/replicaFlags";
import { freePort } from "@eventlogger/process/ports";
import { answers, awaitReady } from "@eventlogger/process/readiness";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";

export const PROJECT = "demo-project";
export const TOPIC = "events";

const READY_TIMEOUT_MS = 60_000;

/** A server under measurement, on 127.0.0.1. */
export interface Service {
  readonly port: number;
  readonly process: ChildProcess;
}

/** Creates a topic without a subscription, so that messages are dropped and the emulator's memory does not grow. */
export async function createTopic(emulator: PubSubEmulator): Promise<void> {
  process.env.PUBSUB_EMULATOR_HOST = emulator.host;
  const pubsub = pubSubClient({ project: PROJECT });
  await pubsub.createTopic(TOPIC);
  await pubsub.close();
}

/**
 * Starts a program of this repository that listens on PORT and publishes to TOPIC, and waits until it answers.
 * @param script the compiled program, relative to the repository
 * @param options.health path of the readiness check
 * @param options.nodeFlags flags for Node
 * @throws NotReadyError when it exits, or does not answer within a minute
 */
export async function startService(
  script: string,
  emulator: PubSubEmulator,
  logFile: string,
  options: { readonly health: string; readonly nodeFlags?: readonly string[] },
): Promise<Service> {
  const port = await freePort();
  const child = await startChildProcess({
    name: script,
    command: process.execPath,
    args: [...(options.nodeFlags ?? []), join(repositoryRoot, script)],
    env: { PROJECT, TOPIC, PORT: String(port), PUBSUB_EMULATOR_HOST: emulator.host },
    logFile,
  });
  await awaitReady(child, () => answers(`http://127.0.0.1:${port}${options.health}`), READY_TIMEOUT_MS);
  return { port, process: child };
}

/** Starts one ingest replica. */
export function startReplica(
  emulator: PubSubEmulator,
  logFile: string,
  nodeFlags: readonly string[] = [],
): Promise<Service> {
  return startService(join("ingest", "dist", "main.js"), emulator, logFile, {
    health: "/readyz",
    nodeFlags: [...REPLICA_FLAGS, ...nodeFlags],
  });
}
