import { execFileSync } from "node:child_process";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createAccessToken, ACCESS_TOKEN_VARIABLE } from "@eventlogger/beam/accessToken";
import { ensureFlinkClasspath } from "@eventlogger/beam/flink/classpath";
import { SessionCluster, type TaskManagerProcess } from "@eventlogger/beam/testing/sessionCluster";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { cacheDir, repositoryRoot } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { awaitReady } from "@eventlogger/process/readiness";
import { waitUntil } from "@eventlogger/process/wait";
import { usePipelineRig, type PipelineRig, type RunSurroundings } from "../faults/rig/pipelineRig";

const BIN = path.join(repositoryRoot, "pipeline", "bin", "eventlogger.js");
const START_LIMIT_MS = 60_000;
/** The pipeline is at work when a fault begins. */
const BEFORE_FAULT_MS = 4000;
const SETTLE_MS = 240_000;

/** A TaskManager with the worker pool beside it, like a machine of a cluster. */
export interface Machine {
  readonly taskManager: TaskManagerProcess;
  pool: ChildProcess;
}

/** The pipeline on a session cluster of Flink, whose machines are processes on the loopback interface. */
export interface ClusterRig {
  readonly pipeline: PipelineRig;
  readonly cluster: SessionCluster;
  readonly machines: readonly Machine[];
  /** Of the next start of the pipeline. */
  parallelism: number;
  /** Further arguments of the next start of the pipeline. */
  runArgs: readonly string[];
  addMachine(): Promise<Machine>;
  /** Kills the TaskManager, the worker pool and the workers of a machine. */
  killMachine(machine: Machine): Promise<void>;
  /** Kills a worker pool with its workers, and starts it again. */
  restartPool(machine: Machine): Promise<void>;
  /** Process ids of the workers of a machine. */
  workersOf(machine: Machine): number[];
  /** A metric of `run` without labels. @throws Error when `run` does not answer */
  metric(name: string): Promise<number>;
}

function childrenOf(pid: number): number[] {
  try {
    const output = execFileSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" });
    return output.split("\n").filter(Boolean).map(Number);
  } catch {
    return []; // no process was found
  }
}

/** Starts the rig around the tests of the `describe` that calls this. */
export function useClusterRig(options: { readonly machines: number; readonly parallelism: number }): ClusterRig {
  const accessToken = createAccessToken();
  const machines: Machine[] = [];
  let cluster: SessionCluster;
  let surroundings: RunSurroundings;
  let pools = 0;
  let metricsPort = 0;

  async function startPool(address: string): Promise<ChildProcess> {
    const port = address.split(":")[1] as string;
    const name = `pool-${++pools}`;
    const pool = await startChildProcess({
      name,
      command: process.execPath,
      args: [BIN, "worker-pool", "--port", port, "--worker-log", path.join(surroundings.directory, "workers.log")],
      env: { ...surroundings.services, [ACCESS_TOKEN_VARIABLE]: accessToken },
      logFile: path.join(surroundings.directory, `${name}.log`),
    });
    await awaitReady(pool, () => pool.logTail().includes("worker pool of version"), START_LIMIT_MS);
    return pool;
  }

  function killPool({ pool }: Machine): Promise<unknown> {
    for (const pid of [pool.pid, ...childrenOf(pool.pid)]) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has exited.
      }
    }
    return pool.exited;
  }

  async function addMachine(): Promise<Machine> {
    const address = `127.0.0.1:${await freePort()}`;
    const pool = await startPool(address);
    const machine = { pool, taskManager: await cluster.startTaskManager(address) };
    machines.push(machine);
    return machine;
  }

  const rig: ClusterRig = {
    pipeline: usePipelineRig({
      async prepareRun(given) {
        surroundings = given;
        const directory = path.join(given.directory, "cluster");
        const classpath = await ensureFlinkClasspath({ cacheDir });
        metricsPort = await freePort();
        cluster = await SessionCluster.start({ classpath, directory, accessToken, slots: 1 });
        await Promise.all(Array.from({ length: options.machines }, addMachine));
        return {
          args: () => [
            ...["--flink-master", cluster.rest.address, "--parallelism", String(rig.parallelism)],
            ...["--worker-pools", machines.map(({ taskManager }) => taskManager.pool).join(",")],
            ...["--heap", "512m", "--metrics-port", String(metricsPort)],
            ...["--checkpoint-interval", "2s", "--ack-deadline", "12s"],
            ...rig.runArgs,
          ],
          env: { [ACCESS_TOKEN_VARIABLE]: accessToken },
          stop: async () => {
            await cluster.stop();
            await Promise.all(machines.map(({ pool }) => pool.stop(3000)));
          },
        };
      },
    }),
    get cluster() {
      return cluster;
    },
    machines,
    parallelism: options.parallelism,
    runArgs: [],
    addMachine,
    async killMachine(machine) {
      machines.splice(machines.indexOf(machine), 1);
      await Promise.all([cluster.killTaskManager(machine.taskManager), killPool(machine)]);
    },
    async restartPool(machine) {
      await killPool(machine);
      machine.pool = await startPool(machine.taskManager.pool);
    },
    workersOf: ({ pool }) => childrenOf(pool.pid),
    async metric(name) {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
    },
  };
  return rig;
}

/** Waits until each of these machines runs a worker. */
export async function untilWorkersRun(rig: ClusterRig, timeoutMs: number): Promise<void> {
  const running = (): boolean =>
    rig.machines.filter((machine) => rig.workersOf(machine).length > 0).length >= rig.parallelism;
  await waitUntil("a worker on each machine", running, { timeoutMs, intervalMs: 200 });
}

/**
 * Sends adversarial traffic until a fault has ended, and then waits for exact numbers.
 * @throws TimeoutError when they do not become exact
 */
export async function underLoad({ pipeline }: ClusterRig, fault: () => Promise<void>): Promise<void> {
  let isDone = false;
  const sending = (async () => {
    do await pipeline.send(pipeline.traffic({ count: 500 }), { rate: 200 });
    while (!isDone);
  })();
  sending.catch(() => {}); // reported below
  try {
    await sleep(BEFORE_FAULT_MS);
    await fault();
  } finally {
    isDone = true;
  }
  await sending;
  await pipeline.settle(SETTLE_MS);
}
