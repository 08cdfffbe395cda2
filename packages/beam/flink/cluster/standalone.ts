/**
 * The processes of a standalone session cluster, from the jars of the job server. For one machine, containers and tests:
 * Flink's own distribution and image do the same, and a job runs there as well.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { OPENED_PACKAGES } from "../jobServer";

/** Kind of a process of a cluster. */
export type ClusterRole = "jobmanager" | "taskmanager";

const MAIN_CLASS = {
  jobmanager: "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
  taskmanager: "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
} as const satisfies Record<ClusterRole, string>;

/** Jars that Flink does not have: they come with each job. */
const OF_JOBS = /^(beam|grpc|proto|google|gax|opencensus|opentelemetry)/;

/** Settings of every cluster that a run can use, and those that Flink's start scripts would compute. */
const SETTINGS = {
  "state.checkpoints.num-retained": 3,
  "cluster.evenly-spread-out-slots": "true",
  "taskmanager.cpu.cores": 1,
  "taskmanager.memory.task.heap.size": "256m",
  "taskmanager.memory.task.off-heap.size": "0",
  "taskmanager.memory.network.min": "48m",
  "taskmanager.memory.network.max": "48m",
  "taskmanager.memory.managed.size": "192m",
  "taskmanager.memory.framework.heap.size": "128m",
  "taskmanager.memory.framework.off-heap.size": "128m",
  "taskmanager.memory.jvm-metaspace.size": "256m",
  "taskmanager.memory.jvm-overhead.min": "192m",
  "taskmanager.memory.jvm-overhead.max": "192m",
} as const;

export interface ClusterProcessOptions {
  readonly role: ClusterRole;
  /** Java classpath from `ensureFlinkClasspath`. */
  readonly classpath: string;
  /** Folder for the configuration and temporary files of this process. */
  readonly directory: string;
  /** Maximum heap, as for `-Xmx`. */
  readonly heap: string;
  /** Settings of `flink-conf.yaml`. */
  readonly settings: Readonly<Record<string, string | number>>;
}

/** The arguments of `java` that start a process of a cluster. Writes its configuration. */
export function clusterProcessArgs(options: ClusterProcessOptions): string[] {
  const { role, classpath, directory, heap, settings } = options;
  const [configuration, temporary] = [path.join(directory, "conf"), path.join(directory, "tmp")];
  for (const folder of [configuration, temporary]) mkdirSync(folder, { recursive: true });
  const all = { ...SETTINGS, "io.tmp.dirs": temporary, ...settings };
  const lines = Object.entries(all).map(([key, value]) => `${key}: ${value}\n`);
  writeFileSync(path.join(configuration, "flink-conf.yaml"), lines.join(""));
  const lib = path.dirname(classpath.split(path.delimiter).find((entry) => entry.endsWith("*")) as string);
  const jars = readdirSync(lib).filter((name) => name.endsWith(".jar") && !OF_JOBS.test(name));
  return [
    `-Xmx${heap}`,
    "-XX:+ExitOnOutOfMemoryError",
    ...OPENED_PACKAGES.map((opened) => `--add-opens=java.base/${opened}=ALL-UNNAMED`),
    ...["-cp", jars.map((name) => path.join(lib, name)).join(path.delimiter)],
    ...[MAIN_CLASS[role], "--configDir", configuration],
  ];
}
