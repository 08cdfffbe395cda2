import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PubSub } from "@google-cloud/pubsub";
import { startPubSubEmulator, type PubSubEmulator } from "../../emulators/emulators";
import { pubSubClient } from "../client";

export interface PubSubFixture {
  /** A client of the emulator. */
  readonly pubsub: PubSub;
}

/**
 * Runs a Pub/Sub emulator for the tests of the enclosing `describe`. All clients of the process use it, by the variable
 * PUBSUB_EMULATOR_HOST.
 */
export function usePubSubEmulator(project = "demo-project"): PubSubFixture {
  let directory: string;
  let emulator: PubSubEmulator;
  let pubsub: PubSub;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "pubsub-"));
    emulator = await startPubSubEmulator({ logFile: join(directory, "log") });
    process.env["PUBSUB_EMULATOR_HOST"] = emulator.host;
    pubsub = pubSubClient({ project });
  });
  after(async () => {
    delete process.env["PUBSUB_EMULATOR_HOST"];
    await pubsub?.close();
    await emulator?.stop();
    rmSync(directory, { recursive: true });
  });
  return {
    get pubsub() {
      return pubsub;
    },
  };
}
