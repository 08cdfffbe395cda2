import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startChildProcess } from "@eventlogger/process/childProcess";
import type { Call } from "./calls";

/** What a library is told to send, and where. */
export interface Task {
  /** URL of the service, without a path. */
  readonly url: string;
  readonly writeKey: string;
  readonly calls: readonly Call[];
  /** For files of this library alone. */
  readonly directory: string;
}

/** Makes the calls with a library of Segment. Resolves when it has sent them all. @throws Error when it gives one up */
export type Sender = (task: Task) => Promise<void>;

/**
 * Runs a program that sends calls. Its last three arguments are the URL, the write key, and a file with a call as JSON per
 * line; it exits with 0 when it has sent them all.
 * @throws Error with the end of its output when it exits otherwise
 */
export async function runSender(name: string, command: string, args: readonly string[], task: Task): Promise<void> {
  const file = join(task.directory, `${name}.ndjson`);
  writeFileSync(file, task.calls.map((call) => `${JSON.stringify(call)}\n`).join(""));
  const child = await startChildProcess({
    name,
    command,
    args: [...args, task.url, task.writeKey, file],
    logFile: join(task.directory, `${name}.log`),
  });
  const { code, signal } = await child.exited;
  if (code !== 0) throw new Error(`${name} failed (${signal ?? `exit code ${code}`}):\n${child.logTail(20)}`);
}
