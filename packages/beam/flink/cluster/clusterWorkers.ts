import { PoolStatusClient, type PoolStatus, type StatusRequest } from "../../worker/poolStatus";
import type { Failure } from "../../worker/counters";
import type { FlinkRest } from "./flinkRest";

/** Port of a worker pool beside a TaskManager. */
export const DEFAULT_POOL_PORT = 50_000;

const POLL_MS = 1000;
/** How often the TaskManagers are listed; in polls. */
const LIST_EVERY = 5;

/** Where the worker pools of a cluster are. */
export interface PoolsOfCluster {
  readonly rest: FlinkRest;
  /** `host:port` of each pool. Default: {@link DEFAULT_POOL_PORT} of the host of each TaskManager. */
  readonly addresses?: readonly string[] | undefined;
  readonly accessToken: string;
}

/** The addresses of the worker pools of a cluster; the same address once. */
export async function poolAddresses({ rest, addresses }: PoolsOfCluster): Promise<string[]> {
  if (addresses?.length) return [...new Set(addresses)];
  const hosts = (await rest.taskManagers()).map(({ host }) => host);
  return [...new Set(hosts)].map((host) => `${host}:${DEFAULT_POOL_PORT}`);
}

export interface ClusterWorkersOptions extends PoolsOfCluster {
  /** Prefix of the jobs whose workers are watched. */
  readonly job: string;
  readonly onFailure?: ((failure: Failure) => void) | undefined;
}

interface Pool {
  readonly client: PoolStatusClient;
  failuresAfter: number;
  instance: string;
}

/**
 * Watches the workers of a job in the worker pools of a cluster. Their counters are sums over all pools, also over those that
 * have been restarted since.
 */
export class ClusterWorkers {
  private readonly pools = new Map<string, Pool>();
  /** The last status of each process of a pool. */
  private readonly statuses = new Map<string, PoolStatus>();
  /** The processes that answered the last poll. */
  private answering = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private polls = 0;
  private isStopped = false;
  /** The workers are processes of other machines. */
  readonly pids: readonly number[] = [];

  private constructor(private readonly options: ClusterWorkersOptions) {}

  static start(options: ClusterWorkersOptions): ClusterWorkers {
    const workers = new ClusterWorkers(options);
    void workers.poll();
    return workers;
  }

  private async poll(): Promise<void> {
    try {
      if (this.polls++ % LIST_EVERY === 0) await this.list();
    } catch {
      // The runner reports a JobManager that does not answer.
    }
    const answering = new Set<string>();
    await Promise.all([...this.pools.values()].map((pool) => this.ask(pool, answering)));
    this.answering = answering;
    if (!this.isStopped) this.timer = setTimeout(() => void this.poll(), POLL_MS).unref();
  }

  private async list(): Promise<void> {
    for (const address of await poolAddresses(this.options)) {
      if (this.pools.has(address)) continue;
      const client = new PoolStatusClient(address, this.options.accessToken);
      this.pools.set(address, { client, failuresAfter: 0, instance: "" });
    }
  }

  private async ask(pool: Pool, answering: Set<string>): Promise<void> {
    const { job, onFailure } = this.options;
    const request: StatusRequest = { job, failuresAfter: pool.failuresAfter };
    let status: PoolStatus;
    try {
      status = await pool.client.status(request);
    } catch (error) {
      if (!this.isStopped) {
        onFailure?.({ what: `the worker pool ${pool.client.address}`, error: (error as Error).message });
      }
      return;
    }
    if (status.instance !== pool.instance) {
      const isFirst = pool.instance === "";
      pool.instance = status.instance;
      pool.failuresAfter = 0;
      if (!isFirst) return this.ask(pool, answering);
    }
    answering.add(status.instance);
    this.statuses.set(status.instance, status);
    for (const { number, ...failure } of status.failures) {
      pool.failuresAfter = Math.max(pool.failuresAfter, number);
      onFailure?.(failure);
    }
  }

  get counters(): Readonly<Record<string, number>> {
    const sum: Record<string, number> = {};
    for (const { counters } of this.statuses.values()) {
      for (const [name, n] of Object.entries(counters)) sum[name] = (sum[name] ?? 0) + n;
    }
    return sum;
  }

  /** The highest value of each gauge in the pools that answer. */
  get gauges(): Readonly<Record<string, number>> {
    const highest: Record<string, number> = {};
    for (const [instance, { gauges }] of this.statuses) {
      if (!this.answering.has(instance)) continue;
      for (const [name, value] of Object.entries(gauges)) highest[name] = Math.max(highest[name] ?? value, value);
    }
    return highest;
  }

  get unexpectedExits(): number {
    return [...this.statuses.values()].reduce((sum, { unexpectedExits }) => sum + unexpectedExits, 0);
  }

  /** Stops watching. The workers end with their job. */
  stop(): Promise<void> {
    this.isStopped = true;
    clearTimeout(this.timer);
    for (const { client } of this.pools.values()) client.close();
    return Promise.resolve();
  }
}
