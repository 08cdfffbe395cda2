import { join } from "node:path";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { answers, awaitReady } from "@eventlogger/process/readiness";

/** A replica in a process of its own. */
export interface ReadReplica {
  readonly url: string;
  readonly process: ChildProcess;
}

/**
 * Starts a replica that only answers reads: there is no Pub/Sub behind it.
 * @param env its options as environment variables
 * @throws NotReadyError when it exits, or does not answer within a minute
 */
export async function startReadReplica(
  logFile: string,
  env: Readonly<Record<string, string>>,
  port?: number,
): Promise<ReadReplica> {
  const ownPort = port ?? (await freePort());
  const child = await startChildProcess({
    name: "ingest replica",
    command: process.execPath,
    args: [join(packageRootOf(__filename), "dist", "main.js")],
    // Nobody listens on port 1. With an emulator's address it looks for no credentials.
    env: { PORT: String(ownPort), PUBSUB_EMULATOR_HOST: "127.0.0.1:1", ...env },
    logFile,
  });
  const url = `http://127.0.0.1:${ownPort}`;
  await awaitReady(child, () => answers(`${url}/healthz`), 60_000);
  return { url, process: child };
}
