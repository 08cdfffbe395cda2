/**
 * A process of a Flink cluster in containers: `node local/dist/flinkProcess.js jobmanager|taskmanager JOBMANAGER-HOST`. For the
 * profile `cluster` of docker-compose.yml. It listens on every interface of its container. The access token is in
 * BEAM_ACCESS_TOKEN or BEAM_ACCESS_TOKEN_FILE.
 */
import { spawn } from "node:child_process";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { ACCESS_TOKEN_FILE_VARIABLE, ACCESS_TOKEN_VARIABLE, readAccessToken } from "@eventlogger/beam/accessToken";
import { clusterProcessArgs } from "@eventlogger/beam/flink/cluster/standalone";
import { ensureFlinkClasspath } from "@eventlogger/beam/flink/classpath";
import { runMain, UserError } from "@eventlogger/process/main";
import { cacheDir } from "@eventlogger/process/packageRoot";
import { onStopSignals } from "@eventlogger/process/stopSignals";

const HEAP = { jobmanager: "512m", taskmanager: "1g" } as const;
const SLOTS = 1;

async function main([role, host]: readonly string[]): Promise<number> {
  if ((role !== "jobmanager" && role !== "taskmanager") || !host) {
    throw new UserError("usage: node local/dist/flinkProcess.js jobmanager|taskmanager JOBMANAGER-HOST");
  }
  const token = readAccessToken(process.env[ACCESS_TOKEN_FILE_VARIABLE] || undefined);
  const args = clusterProcessArgs({
    role,
    classpath: await ensureFlinkClasspath({ cacheDir, onProgress: console.log }),
    directory: path.join(tmpdir(), role),
    heap: HEAP[role],
    settings: {
      "jobmanager.rpc.address": host,
      "jobmanager.bind-host": "0.0.0.0",
      "rest.address": host,
      "rest.bind-address": "0.0.0.0",
      "taskmanager.host": hostname(),
      "taskmanager.bind-host": "0.0.0.0",
      "taskmanager.numberOfTaskSlots": SLOTS,
    },
  });
  const env = { ...process.env, [ACCESS_TOKEN_VARIABLE]: token, [ACCESS_TOKEN_FILE_VARIABLE]: undefined };
  const java = spawn("java", args, { stdio: "inherit", env });
  const stop = onStopSignals({ onStop: () => void java.kill("SIGTERM") });
  return new Promise((resolve, reject) => {
    java.once("error", reject);
    java.once("exit", (code) => resolve(stop.signal.aborted ? 0 : (code ?? 1)));
  });
}

runMain(() => main(process.argv.slice(2)));
