import { mkdirSync } from "node:fs";
import path from "node:path";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { freePort } from "@eventlogger/process/ports";
import { waitUntil } from "@eventlogger/process/wait";
import { ACCESS_TOKEN_VARIABLE } from "../accessToken";
import { FlinkRest } from "../flink/cluster/flinkRest";
import { clusterProcessArgs, type ClusterRole } from "../flink/cluster/standalone";

const START_LIMIT_MS = 120_000;

export interface SessionClusterOptions {
  /** Java classpath from `ensureFlinkClasspath`. The cluster gets only the jars of Flink; the rest comes with the job. */
  readonly classpath: string;
  /** Folder for configuration and logs. */
  readonly directory: string;
  readonly accessToken: string;
  /** Slots of each TaskManager. */
  readonly slots: number;
  /** Memory of each TaskManager. @default a heap of 500m, and little managed memory */
  readonly taskManager?: {
    /** Heap limit, as for `-Xmx`. */
    readonly heap: string;
    /** For RocksDB, as `512m`. */
    readonly managedMemory: string;
  };
}

/** A TaskManager of a {@link SessionCluster}. */
export interface TaskManagerProcess {
  readonly process: ChildProcess;
  /** `host:port` of the worker pool beside it. */
  readonly pool: string;
}

/** A standalone session cluster of Flink on the loopback interface: a JobManager and TaskManagers, each a process. */
export class SessionCluster {
  private jobManager: ChildProcess | undefined;
  readonly taskManagers: TaskManagerProcess[] = [];
  private started = 0;

  private constructor(
    private readonly options: SessionClusterOptions,
    private readonly settings: Readonly<Record<string, string | number>>,
    /** REST endpoint of the JobManager. */
    readonly rest: FlinkRest,
  ) {}

  /** Starts a JobManager, without TaskManagers. */
  static async start(options: SessionClusterOptions): Promise<SessionCluster> {
    const [rpcPort, restPort] = [await freePort(), await freePort()];
    const settings = {
      "jobmanager.rpc.address": "127.0.0.1",
      "jobmanager.rpc.port": rpcPort,
      "jobmanager.bind-host": "127.0.0.1",
      "rest.address": "127.0.0.1",
      "rest.bind-address": "127.0.0.1",
      "rest.port": restPort,
      "taskmanager.host": "127.0.0.1",
      "taskmanager.bind-host": "127.0.0.1",
      "taskmanager.numberOfTaskSlots": options.slots,
      // A process that was killed is noticed soon.
      "heartbeat.interval": 1000,
      "heartbeat.timeout": 8000,
      ...(options.taskManager && { "taskmanager.memory.managed.size": options.taskManager.managedMemory }),
    };
    mkdirSync(options.directory, { recursive: true });
    const cluster = new SessionCluster(options, settings, new FlinkRest(`127.0.0.1:${restPort}`));
    await cluster.startJobManager();
    return cluster;
  }

  private java(
    name: string,
    role: ClusterRole,
    heap: string,
    env: Readonly<Record<string, string>>,
  ): Promise<ChildProcess> {
    const { directory, accessToken, classpath } = this.options;
    const args = clusterProcessArgs({
      role,
      classpath,
      directory: path.join(directory, name),
      heap,
      settings: this.settings,
    });
    return startChildProcess({
      name,
      command: "java",
      args,
      env: { [ACCESS_TOKEN_VARIABLE]: accessToken, ...env },
      logFile: path.join(directory, `${name}.log`),
    });
  }

  /** Process ids of the JobManager and the TaskManagers. */
  get pids(): number[] {
    const processes = [this.jobManager, ...this.taskManagers.map(({ process }) => process)];
    return processes.flatMap((one) => (one?.running ? [one.pid] : []));
  }

  /** Starts the JobManager, after it was killed: it knows no jobs. */
  async startJobManager(): Promise<void> {
    this.jobManager = await this.java("jobmanager", "jobmanager", "400m", {});
    const answers = async (): Promise<boolean> => (await this.rest.jobs()).length >= 0;
    const details = (): string => this.jobManager?.logTail(15) ?? "";
    const wait = { timeoutMs: START_LIMIT_MS, intervalMs: 200, retryErrors: true, details };
    await waitUntil("the JobManager", answers, wait);
  }

  /** Starts a TaskManager with a pool at this address, and waits until the JobManager knows it. */
  async startTaskManager(pool: string): Promise<TaskManagerProcess> {
    const before = new Set((await this.rest.taskManagers()).map(({ id }) => id));
    const env = { BEAM_WORKER_POOL: pool };
    const process = await this.java(
      `taskmanager-${++this.started}`,
      "taskmanager",
      this.options.taskManager?.heap ?? "500m",
      env,
    );
    const taskManager = { process, pool };
    this.taskManagers.push(taskManager);
    // Of TaskManagers that start together, this may be another one.
    const registered = async (): Promise<boolean> => (await this.rest.taskManagers()).some(({ id }) => !before.has(id));
    const details = (): string => process.logTail(15);
    await waitUntil("the TaskManager", registered, { timeoutMs: START_LIMIT_MS, intervalMs: 200, details });
    return taskManager;
  }

  /** Kills a TaskManager, as a machine that fails. */
  async killTaskManager(taskManager: TaskManagerProcess): Promise<void> {
    const index = this.taskManagers.indexOf(taskManager);
    if (index < 0) return;
    this.taskManagers.splice(index, 1);
    process.kill(taskManager.process.pid, "SIGKILL");
    await taskManager.process.exited;
  }

  /** Kills the JobManager. The TaskManagers register again when it is started again. */
  async killJobManager(): Promise<void> {
    if (!this.jobManager) return;
    process.kill(this.jobManager.pid, "SIGKILL");
    await this.jobManager.exited;
  }

  async stop(): Promise<void> {
    await Promise.all(this.taskManagers.map(({ process }) => process.stop(3000)));
    await this.jobManager?.stop(3000);
  }
}
