import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "@eventlogger/process/ports";
import { answers, awaitReady } from "@eventlogger/process/readiness";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { nginxArguments, renderNginxConfig } from "../render";

/**
 * Starts nginx with default limits on a free port of 127.0.0.1 and waits until a replica answers through it.
 * @param directory absolute path, for configuration, logs and pid file
 * @param upstreamPorts of replicas on 127.0.0.1
 * @throws Error when nginx exits, or no replica answers within 60 s
 */
export async function startNginx(
  directory: string,
  upstreamPorts: readonly number[],
): Promise<{ readonly port: number; readonly process: ChildProcess }> {
  const port = await freePort();
  const configFile = join(directory, "nginx.conf");
  const upstreams = upstreamPorts.map((upstream) => `127.0.0.1:${upstream}`);
  writeFileSync(configFile, renderNginxConfig({ listenPort: port, upstreams, directory }));
  const child = await startChildProcess({
    name: "nginx",
    command: "nginx",
    args: nginxArguments(configFile, directory),
    logFile: join(directory, "nginx.log"),
  });
  await awaitReady(child, () => answers(`http://127.0.0.1:${port}/readyz`), 60_000);
  return { port, process: child };
}
