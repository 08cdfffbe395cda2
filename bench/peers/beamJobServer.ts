import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { awaitLogLine } from "@eventlogger/process/readiness";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import type { Cleanup } from "../runBenchmark";
import { javaFlags } from "./java";

const READY = /JobService started on [^\s:]+:(\d+)/;
const START_TIMEOUT_MS = 60_000;

/** A job server of Beam as it is published, with embedded Flink; without the classes of packages/beam. */
export interface BeamJobServer {
  readonly endpoint: string;
  readonly process: ChildProcess;
}

/** @param classpath see `ensureJavaPeer`, which has the job server of its version */
export async function startBeamJobServer(
  classpath: string,
  heap: string,
  cleanup: Cleanup,
  directory: string,
): Promise<BeamJobServer> {
  const conf = path.join(directory, "conf");
  mkdirSync(conf);
  // The name of Flink before 1.19, which still reads it.
  writeFileSync(path.join(conf, "flink-conf.yaml"), "rest.bind-address: 127.0.0.1\njobmanager.bind-host: 127.0.0.1\n");
  const child = await startChildProcess({
    name: "Beam's job server",
    command: "java",
    args: [
      ...javaFlags(heap),
      "-cp",
      classpath,
      "org.apache.beam.runners.flink.FlinkJobServerDriver",
      "--flink-master=[local]",
      `--flink-conf-dir=${conf}`,
      "--job-host=127.0.0.1",
      "--job-port=0",
      "--artifact-port=0",
      "--expansion-port=-1",
      `--artifacts-dir=${path.join(directory, "artifacts")}`,
    ],
    env: { FLINK_CONF_DIR: conf },
    logFile: path.join(directory, "job-server.log"),
  });
  cleanup.later(() => child.stop());
  const ready = await awaitLogLine(child, READY, { from: 0, timeoutMs: START_TIMEOUT_MS });
  return { endpoint: `127.0.0.1:${ready[1] ?? ""}`, process: child };
}
