import path from "node:path";
import type { FlinkRunnerOptions } from "@eventlogger/beam";
import { ACCESS_TOKEN_VARIABLE, createAccessToken } from "@eventlogger/beam/accessToken";
import { FINALIZER_LIMIT_VARIABLE } from "@eventlogger/beam/patches/finalizers";
import { SessionCluster } from "@eventlogger/beam/testing/sessionCluster";
import { startWorkerPool, type WorkerPool } from "@eventlogger/beam/worker/pool";
import { repositoryRoot } from "@eventlogger/process/packageRoot";

export interface BenchClusterOptions {
  /** Number of TaskManagers, each with one slot and a worker pool. */
  readonly taskManagers: number;
  readonly classpath: string;
  /** For configuration and logs. */
  readonly directory: string;
  /** Heap limit of a TaskManager, as for `-Xmx`. */
  readonly heap: string;
  /** Memory of RocksDB in a TaskManager, as `512m`. */
  readonly rocksdbMemory: string;
  /** Node flags of the workers. */
  readonly workerNodeArgs: readonly string[];
}

/** A session cluster of Flink whose machines are processes of this one. */
export class BenchCluster {
  private constructor(
    private readonly cluster: SessionCluster,
    private readonly pools: readonly WorkerPool[],
    private readonly accessToken: string,
  ) {}

  static async start(options: BenchClusterOptions): Promise<BenchCluster> {
    const { taskManagers, classpath, directory, heap, rocksdbMemory, workerNodeArgs } = options;
    const accessToken = createAccessToken();
    const cluster = await SessionCluster.start({
      ...{ classpath, directory, accessToken, slots: 1 },
      taskManager: { heap, managedMemory: rocksdbMemory },
    });
    const pools: WorkerPool[] = [];
    const bench = new BenchCluster(cluster, pools, accessToken);
    try {
      for (let i = 0; i < taskManagers; i++) {
        const pool = await startWorkerPool({
          accessToken,
          logFile: path.join(directory, "workers.log"),
          serveOthers: { allowedEnv: [FINALIZER_LIMIT_VARIABLE] },
          requireFrom: repositoryRoot,
          env: { [ACCESS_TOKEN_VARIABLE]: accessToken },
          nodeArgs: workerNodeArgs,
        });
        pools.push(pool);
        await cluster.startTaskManager(pool.address);
      }
    } catch (error) {
      await bench.stop();
      throw error;
    }
    return bench;
  }

  get runnerOptions(): Pick<FlinkRunnerOptions, "flinkMaster" | "cluster"> {
    const workerPools = this.pools.map(({ address }) => address);
    const cluster = { accessToken: this.accessToken, workerPools, job: "bench", workerHeapMiB: undefined };
    return { flinkMaster: this.cluster.rest.address, cluster };
  }

  get jvmPids(): number[] {
    return this.cluster.pids;
  }

  get workerPids(): number[] {
    return this.pools.flatMap(({ pids }) => pids);
  }

  async stop(): Promise<void> {
    await this.cluster.stop();
    await Promise.all(this.pools.map((pool) => pool.stop()));
  }
}
