import { ensureFlinkClasspath } from "@eventlogger/beam";
import { javaArguments, writeConfiguration } from "@eventlogger/beam/flink/jobServer";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { cacheDir, packageRootOf } from "@eventlogger/process/packageRoot";
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import type { StateLoad } from "./pipeline";

/** Starts the two steps in Beam Java. Its output is in `java.log` of the directory. */
export async function startJavaLoad(
  load: StateLoad,
  options: { directory: string; backend: "rocksdb" | "heap"; heap: string; memory: string },
): Promise<ChildProcess> {
  const { directory } = options;
  const flink = await ensureFlinkClasspath({ cacheDir, onProgress: console.log });
  const classes = path.join(directory, "classes");
  const source = path.join(packageRootOf(__filename), "state", "java", "StateLoad.java");
  await promisify(execFile)("javac", ["-cp", flink, "-d", classes, source]);
  const jvm = {
    classpath: [classes, flink].join(path.delimiter),
    workDir: path.join(directory, "work"),
    logFile: path.join(directory, "java.log"),
    heap: options.heap,
    stateBackend: options.backend,
    managedMemory: options.memory,
    checkpointDir: path.join(directory, "checkpoints"),
  };
  const confDir = writeConfiguration(jvm);
  const { keys, changesPerSecond } = load;
  return startChildProcess({
    name: "Beam Java",
    command: "java",
    args: [...javaArguments(jvm, confDir), "StateLoad", confDir, String(keys), String(changesPerSecond)],
    env: { FLINK_CONF_DIR: confDir, MALLOC_ARENA_MAX: "2" },
    logFile: jvm.logFile,
  });
}
