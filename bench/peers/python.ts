import path from "node:path";
import { cacheDir, packageRootOf } from "@eventlogger/process/packageRoot";
import { ensureVenv, interpreterOf } from "@eventlogger/process/python/venv";
import { CHECKPOINT_INTERVAL_MS, MAX_BUNDLE_SIZE, MAX_BUNDLE_TIME_MS } from "../pipeline/benchPipeline";
import { startBeamJobServer } from "./beamJobServer";
import type { Conditions, Contender, ContenderName } from "./contender";
import { ensureJavaPeer } from "./java";
import { runPeer } from "./peerProcess";

const FOLDER = path.join(packageRootOf(__filename), "peers", "python");
/** As the product's worker. */
const STATE_CACHE_MIB = 512;
const IDLE_MS = 1_000_000_000;

async function ensurePython({ onProgress }: Conditions): Promise<string> {
  const venv = await ensureVenv({
    name: "beam-python-peer",
    cacheDir,
    requirements: path.join(FOLDER, "requirements.txt"),
    onInstall: () => onProgress("installing Beam Python (once, about 400 MB)"),
    onProgress,
  });
  return interpreterOf(venv);
}

/** The Beam Python program: a job server of Beam with embedded Flink, and one Python process that is also the worker. */
export function pythonContender(name: ContenderName, usesSessionWindows: boolean): Contender {
  return {
    name,
    describe: `Beam Python 2.49 on the portable Flink runner, LOOPBACK, ${usesSessionWindows ? "" : "no "}session windows`,
    prepare: async (conditions) => {
      await ensureJavaPeer(conditions);
      await ensurePython(conditions);
    },
    run: async (traffic, conditions, cleanup, directory) => {
      const python = await ensurePython(conditions);
      const classpath = await ensureJavaPeer(conditions);
      const jobServer = await startBeamJobServer(classpath, conditions.heap, cleanup, directory);
      const options = {
        runner: "PortableRunner",
        job_endpoint: jobServer.endpoint,
        environment_type: "LOOPBACK",
        parallelism: 1,
        checkpointing_interval: CHECKPOINT_INTERVAL_MS,
        max_bundle_size: MAX_BUNDLE_SIZE,
        max_bundle_time_mills: MAX_BUNDLE_TIME_MS,
        shutdown_sources_after_idle_ms: IDLE_MS,
        state_backend: "filesystem",
        state_backend_storage_path: `file://${path.join(directory, "checkpoints")}`,
        max_cache_memory_usage_mb: STATE_CACHE_MIB,
      };
      try {
        return await runPeer(
          {
            name,
            events: traffic.events,
            limitMs: conditions.limitMs,
            onProgress: conditions.onProgress,
            isJvm: false,
            jvmPids: () => [jobServer.process.pid],
            process: {
              name: "Beam Python",
              command: python,
              args: [
                path.join(FOLDER, "peer.py"),
                `--messages=${traffic.messages}`,
                `--events=${traffic.events}`,
                `--expected=${traffic.expectedFile}`,
                `--early-ms=${conditions.earlyMs}`,
                ...(usesSessionWindows ? ["--session-windows"] : []),
                "--streaming",
                "--finish_bundle_before_checkpointing",
                ...Object.entries(options).map(([option, value]) => `--${option}=${value}`),
              ],
              logFile: path.join(directory, "python.log"),
            },
          },
          cleanup,
        );
      } finally {
        await jobServer.process.stop();
      }
    },
  };
}
