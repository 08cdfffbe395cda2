import "../sdk";
import { spawn, type ChildProcess } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";
import path = require("node:path");
import { createInterface } from "node:readline";
import grpc = require("@grpc/grpc-js");
import type { StartWorkerRequest, StartWorkerResponse } from "apache-beam/proto/beam_fn_api";
import type { StopWorkerRequest, StopWorkerResponse } from "apache-beam/proto/beam_fn_api";
import { beamFnExternalWorkerPoolDefinition } from "apache-beam/proto/beam_fn_api.grpc-server";
import { getRegisteredModules } from "apache-beam/serialization";
import { COUNTERS_LINE } from "./counters";

export interface WorkerPoolOptions {
  /** File that the output of all workers is appended to. */
  readonly logFile: string;
  /** Folder from which the registered modules resolve; default: the working directory. */
  readonly requireFrom?: string;
  /** Environment of the workers, added to this process's. */
  readonly env?: Readonly<Record<string, string>>;
  /** Node flags, such as `--max-old-space-size=2048`. */
  readonly nodeArgs?: readonly string[];
  /** Called when a worker ended that nobody stopped. */
  readonly onUnexpectedExit?: (workerId: string, status: string) => void;
  /** Called when a worker has started or ended. */
  readonly onWorkersChanged?: () => void;
}

/** Runs SDK workers in processes of their own, so that user code that dies does not take the launcher along. */
export interface WorkerPool {
  /** Address for an external environment, `127.0.0.1:PORT`. */
  readonly address: string;
  /** Process ids of the workers that run now. */
  readonly pids: readonly number[];
  /** The sum of the counters of all workers, past ones included; see `count`. */
  readonly counters: Readonly<Record<string, number>>;
  /** Workers that ended though nobody stopped them. */
  readonly unexpectedExits: number;
  /** Stops the workers (SIGTERM, SIGKILL after `graceMs`) and the service. */
  stop(graceMs?: number): Promise<void>;
}

interface RunningWorker {
  readonly process: ChildProcess;
  readonly exited: Promise<void>;
  stopped: boolean;
}

const MAIN = path.join(__dirname, "main.js");

class ProcessPool implements WorkerPool {
  private readonly workers = new Map<string, RunningWorker>();
  private readonly server = new grpc.Server();
  private readonly log: WriteStream;
  private readonly latest = new Map<string, Record<string, number>>();
  private stopping = false;
  address = "";
  unexpectedExits = 0;

  constructor(private readonly options: WorkerPoolOptions) {
    this.log = createWriteStream(options.logFile, { flags: "a" });
    this.server.addService(beamFnExternalWorkerPoolDefinition, {
      startWorker: (
        call: grpc.ServerUnaryCall<StartWorkerRequest, StartWorkerResponse>,
        callback: grpc.sendUnaryData<StartWorkerResponse>,
      ) => {
        const { workerId, controlEndpoint } = call.request;
        try {
          this.startWorker(workerId, controlEndpoint?.url ?? "");
          callback(null, { error: "" });
        } catch (error) {
          callback(null, { error: String(error) });
        }
      },
      stopWorker: (
        call: grpc.ServerUnaryCall<StopWorkerRequest, StopWorkerResponse>,
        callback: grpc.sendUnaryData<StopWorkerResponse>,
      ) => {
        void this.stopWorker(call.request.workerId, 5000);
        callback(null, { error: "" });
      },
    });
  }

  get pids(): number[] {
    return [...this.workers.values()].map((w) => w.process.pid).filter((pid) => pid !== undefined);
  }

  async start(): Promise<void> {
    const port = await new Promise<number>((resolve, reject) =>
      this.server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    this.address = `127.0.0.1:${port}`;
  }

  private startWorker(id: string, controlUrl: string): void {
    // A job that is started again just now would leave a worker behind.
    if (this.stopping) throw new Error("The worker pool is being stopped");
    const args = [
      ...(this.options.nodeArgs ?? []),
      MAIN,
      `--id=${id}`,
      `--control_endpoint=${controlUrl}`,
      `--modules=${JSON.stringify(getRegisteredModules())}`,
      `--require-from=${this.options.requireFrom ?? process.cwd()}`,
    ];
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own: a Ctrl-C on the terminal reaches the launcher, which stops its workers in order.
      detached: true,
      env: { ...process.env, ...this.options.env },
    });
    createInterface({ input: child.stdout }).on("line", (line) => this.takeLine(id, line));
    child.stderr.pipe(this.log, { end: false });
    const worker: RunningWorker = {
      process: child,
      stopped: false,
      exited: new Promise((resolve) => {
        child.once("error", (error) => this.log.write(`worker ${id} cannot start: ${error.message}\n`));
        child.once("close", (code, signal) => {
          this.workers.delete(id);
          resolve();
          this.options.onWorkersChanged?.();
          // A worker ends by itself with 0 when the runner closes its stream.
          if (!worker.stopped && code !== 0) {
            this.unexpectedExits++;
            const status = signal ? `was killed by ${signal}` : `ended with exit code ${code}`;
            this.log.write(`worker ${id} ${status}\n`);
            this.options.onUnexpectedExit?.(id, status);
          }
        });
      }),
    };
    this.workers.set(id, worker);
    this.options.onWorkersChanged?.();
  }

  private takeLine(id: string, line: string): void {
    if (!line.startsWith(COUNTERS_LINE)) {
      this.log.write(line + "\n");
      return;
    }
    this.latest.set(id, JSON.parse(line.slice(COUNTERS_LINE.length)) as Record<string, number>);
  }

  get counters(): Record<string, number> {
    const sum: Record<string, number> = {};
    for (const counters of this.latest.values()) {
      for (const [name, n] of Object.entries(counters)) sum[name] = (sum[name] ?? 0) + n;
    }
    return sum;
  }

  private async stopWorker(id: string, graceMs: number): Promise<void> {
    const worker = this.workers.get(id);
    if (!worker) return;
    worker.stopped = true;
    // The runner closes the control stream first and the worker then ends by itself; the signals are for one that hangs.
    const terminate = setTimeout(() => worker.process.kill("SIGTERM"), graceMs / 2);
    const kill = setTimeout(() => worker.process.kill("SIGKILL"), graceMs);
    await worker.exited;
    clearTimeout(terminate);
    clearTimeout(kill);
  }

  async stop(graceMs = 3000): Promise<void> {
    this.stopping = true;
    await Promise.all(
      [...this.workers].map(([id, worker]) => {
        worker.process.kill("SIGTERM");
        return this.stopWorker(id, graceMs);
      }),
    );
    this.server.forceShutdown();
    await new Promise<void>((resolve) => this.log.end(resolve));
  }
}

/** Starts a pool on a free port of 127.0.0.1. */
export async function startWorkerPool(options: WorkerPoolOptions): Promise<WorkerPool> {
  const pool = new ProcessPool(options);
  await pool.start();
  return pool;
}
