import { UserError } from "@eventlogger/process/main";
import { tryCommand } from "@eventlogger/process/tryCommand";

/** CPU time of the threads of a JVM since their start, ms, by name and id. */
export type ThreadTimes = ReadonlyMap<string, number>;

/** A line of `jcmd PID Thread.print`. Threads of the VM itself have no number. */
const THREAD = /^"(.*)"(?: #(\d+))? .*?\bcpu=([\d.]+)ms .*?\bnid=(\S+)/;

/** Reads the output of `jcmd PID Thread.print`. */
export function parseThreads(output: string): ThreadTimes {
  const times = new Map<string, number>();
  for (const line of output.split("\n")) {
    const [, name, , cpu, nid] = THREAD.exec(line) ?? [];
    if (name !== undefined) times.set(`${name}\0${nid}`, Number(cpu));
  }
  return times;
}

/** The CPU times of the threads of a running JVM. @throws UserError when the JDK's jcmd cannot be run */
export async function readThreads(pid: number): Promise<ThreadTimes> {
  const { code, output } = await tryCommand("jcmd", [String(pid), "Thread.print"]);
  if (code !== 0) throw new UserError(`jcmd, which is part of the JDK, cannot read the threads of Flink: ${output}`);
  return parseThreads(output);
}

/** Threads of the JVM and of Flink that run no step of the pipeline. The first pattern that matches counts. */
const SERVICES: readonly (readonly [stage: string, name: RegExp])[] = [
  ["garbage collection", /^(GC Thread|G1 |VM Periodic|VM Thread|Reference Handler|Finalizer|Common-Cleaner)/],
  ["just-in-time compiler", /^(C1|C2) CompilerThread/],
  ["checkpoints", /^(AsyncOperations|Checkpoint|async-|RocksDB|rocksdb|jobmanager-io|cluster-io)/],
  ["gRPC", /grpc|^(DataBufferOutbound|data-|SDK )/i],
];

/** Name of a task thread: the steps of the task, then the number of the subtask and the attempt. */
const TASK = /^(.*?)(?: \(\d+\/\d+\)#\d+)+$/;

/** The stage of a thread: the steps of its task as Flink names them, or a service of the JVM. */
export function stageOf(thread: string): string {
  const task = TASK.exec(thread)?.[1];
  if (task !== undefined) return task.replace(/^Source: /, "");
  return SERVICES.find(([, pattern]) => pattern.test(thread))?.[0] ?? "other threads";
}

/** CPU time by stage between two readings, ms, most first. Threads that have ended meanwhile are missing. */
export function timeByStage(before: ThreadTimes, after: ThreadTimes): [stage: string, ms: number][] {
  const times = new Map<string, number>();
  for (const [thread, ms] of after) {
    const stage = stageOf(thread.split("\0")[0] ?? "");
    times.set(stage, (times.get(stage) ?? 0) + ms - (before.get(thread) ?? 0));
  }
  return [...times].sort(([, a], [, b]) => b - a);
}
