import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import type { PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { freePort } from "@eventlogger/process/ports";
import { answers, awaitReady } from "@eventlogger/process/readiness";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";

export const PROJECT = "demo-project";
export const TOPIC = "events";

/** A server under measurement, on 127.0.0.1. */
export interface Service {
  readonly port: number;
  readonly process: ChildProcess;
}

/** No subscription: what is published is acknowledged and forgotten, so the emulator's memory does not grow. */
export async function createTopic(emulator: PubSubEmulator): Promise<void> {
  process.env.PUBSUB_EMULATOR_HOST = emulator.host;
  const pubsub = pubSubClient({ project: PROJECT });
  await pubsub.createTopic(TOPIC);
  await pubsub.close();
}

/**
 * Starts a program of this package that listens on PORT and publishes to TOPIC, and waits until it answers.
 * @param script compiled, relative to the repository
 * @param options.health the address that tells
 * @param options.nodeFlags flags of Node itself
 * @throws Error when it ends, or does not answer within 20 s
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
  await awaitReady(child, () => answers(`http://127.0.0.1:${port}${options.health}`), 20_000);
  return { port, process: child };
}

/** One ingest replica. */
export function startReplica(
  emulator: PubSubEmulator,
  logFile: string,
  nodeFlags: readonly string[] = [],
): Promise<Service> {
  return startService(join("ingest", "dist", "main.js"), emulator, logFile, { health: "/readyz", nodeFlags });
}
