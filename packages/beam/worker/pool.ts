import "../sdk";
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import * as grpc from "@grpc/grpc-js";
import type {
  StartWorkerRequest,
  StartWorkerResponse,
  StopWorkerRequest,
  StopWorkerResponse,
} from "apache-beam/proto/beam_fn_api";
import { beamFnExternalWorkerPoolDefinition } from "apache-beam/proto/beam_fn_api.grpc-server";
import { getRegisteredModules } from "apache-beam/serialization";
import { appendLog } from "@eventlogger/process/logFiles";
import { ACCESS_TOKEN_PARAMETER, isAccessToken } from "../accessToken";
import { COUNTERS_LINE, FAILURE_LINE, GAUGES_LINE, type Failure } from "./counters";

/** Options of {@link startWorkerPool}. */
export interface WorkerPoolOptions {
  /** File to which the output of all workers is appended. */
  readonly logFile: string;
  /** Folder from which workers resolve the registered modules. Default: the working directory. */
  readonly requireFrom?: string;
  /** Token that each request for a worker must contain; undefined: none is needed. */
  readonly accessToken?: string | undefined;
  /** Environment of the workers, added to that of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called before each start of a worker; returns further variables of its environment. If it throws, the start fails. */
  readonly envOfStart?: () => Readonly<Record<string, string>>;
  /** Node flags, such as `--max-old-space-size=2048`. */
  readonly nodeArgs?: readonly string[];
  /** Called when a worker exits unexpectedly, with its exit status as text. */
  readonly onUnexpectedExit?: (workerId: string, status: string) => void;
  /** Called when something has failed in a worker; see `reportFailure`. */
  readonly onFailure?: (failure: Failure) => void;
  /** Called when a worker has started or exited. */
  readonly onWorkersChanged?: () => void;
}

/** Runs SDK workers in separate processes, so that user code that crashes does not crash the launcher. */
export interface WorkerPool {
  /** Address for an external environment: `127.0.0.1:PORT`. */
  readonly address: string;
  /** Process ids of the running workers. */
  readonly pids: readonly number[];
  /** The sums of the counters of all workers, including those that have exited; see `count`. */
  readonly counters: Readonly<Record<string, number>>;
  /** The gauges of the running workers; the highest value of each. See `gaugeFrom`. */
  readonly gauges: Readonly<Record<string, number>>;
  /** Number of workers that have exited unexpectedly. */
  readonly unexpectedExits: number;
  /** Stops the workers (SIGTERM, then SIGKILL after `graceMs`, default 3000) and the service. */
  stop(graceMs?: number): Promise<void>;
}

interface RunningWorker {
  readonly process: ChildProcessByStdio<null, Readable, Readable>;
  readonly exited: Promise<void>;
  stopped: boolean;
  terminated: boolean;
  /** Whether this pool has sent it a signal. */
  signalled: boolean;
}

/** The program of a worker. Found when the first one starts: an image for container workers does not contain it. */
const workerProgram = (): string => require.resolve("./main");

/** The runner is answered after this time in any case, ms. */
const START_LIMIT_MS = 60_000;

/**
 * Resolves when a worker has written its first line, which it does just before it connects to the runner; with an error when
 * it has exited before. The runner would wait for such a worker.
 */
function hasStarted({ process: child, exited }: RunningWorker): Promise<string> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, START_LIMIT_MS, "").unref();
    const answer = (error: string): void => {
      clearTimeout(timer);
      resolve(error);
    };
    child.stdout.once("data", () => answer(""));
    void exited.then(() => answer("The worker has exited before it connected; see the log of the workers"));
  });
}

class ProcessPool implements WorkerPool {
  private readonly workers = new Map<string, RunningWorker>();
  private readonly server = new grpc.Server();
  private readonly latest = new Map<string, Record<string, number>>();
  private readonly latestGauges = new Map<string, Record<string, number>>();
  private stopping = false;
  address = "";
  unexpectedExits = 0;

  constructor(private readonly options: WorkerPoolOptions) {
    this.server.addService(beamFnExternalWorkerPoolDefinition, {
      startWorker: (
        call: grpc.ServerUnaryCall<StartWorkerRequest, StartWorkerResponse>,
        callback: grpc.sendUnaryData<StartWorkerResponse>,
      ) => {
        const { workerId, controlEndpoint, params } = call.request;
        const { accessToken } = this.options;
        if (accessToken !== undefined && !isAccessToken(params[ACCESS_TOKEN_PARAMETER], accessToken)) {
          callback({ code: grpc.status.UNAUTHENTICATED, details: "The access token of the run is missing or wrong" });
          return;
        }
        try {
          const worker = this.startWorker(workerId, controlEndpoint?.url ?? "");
          void hasStarted(worker).then((error) => callback(null, { error }));
        } catch (error) {
          callback(null, { error: String(error) });
        }
      },
      stopWorker: (
        call: grpc.ServerUnaryCall<StopWorkerRequest, StopWorkerResponse>,
        callback: grpc.sendUnaryData<StopWorkerResponse>,
      ) => {
        // The runner also closes the control stream, at which the worker stops; the signals are for a worker that hangs.
        void this.stopWorker(call.request.workerId, { terminateMs: 2500, killMs: 5000 });
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

  private startWorker(id: string, controlUrl: string): RunningWorker {
    // A job that Flink restarts at this moment would leave a worker behind.
    if (this.stopping) throw new Error("The worker pool is stopping");
    const args = [
      ...(this.options.nodeArgs ?? []),
      workerProgram(),
      `--id=${id}`,
      `--control_endpoint=${controlUrl}`,
      `--modules=${JSON.stringify(getRegisteredModules())}`,
      `--require-from=${this.options.requireFrom ?? process.cwd()}`,
    ];
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "pipe"],
      // A separate process group: Ctrl-C on the terminal reaches only the launcher, which stops its workers.
      detached: true,
      env: { ...process.env, ...this.options.env, ...this.options.envOfStart?.() },
    });
    createInterface({ input: child.stdout }).on("line", (line) => this.handleLine(id, line));
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.write(text));
    const worker: RunningWorker = {
      process: child,
      stopped: false,
      terminated: false,
      signalled: false,
      exited: new Promise((resolve) => {
        child.once("error", (error) => this.write(`worker ${id} cannot be started: ${error.message}\n`));
        child.once("close", (code, signal) => {
          this.workers.delete(id);
          this.latestGauges.delete(id);
          resolve();
          this.options.onWorkersChanged?.();
          // A worker exits with 0 when the runner closes its control stream.
          // The runner may ask to stop a worker that has just been killed, before this process is told that it has exited.
          const isKilled = signal !== null && !worker.signalled;
          if (isKilled || (!worker.stopped && code !== 0)) {
            this.unexpectedExits++;
            const status = signal ? `was killed by ${signal}` : `exited with code ${code}`;
            this.write(`worker ${id} ${status}\n`);
            this.options.onUnexpectedExit?.(id, status);
          }
        });
      }),
    };
    this.workers.set(id, worker);
    this.options.onWorkersChanged?.();
    return worker;
  }

  private handleLine(id: string, line: string): void {
    const report = /^(@\w+ )(\{.*)/.exec(line);
    const [, kind, json = ""] = report ?? [];
    if (kind === COUNTERS_LINE) this.latest.set(id, JSON.parse(json) as Record<string, number>);
    else if (kind === GAUGES_LINE) this.latestGauges.set(id, JSON.parse(json) as Record<string, number>);
    else if (kind === FAILURE_LINE) this.options.onFailure?.(JSON.parse(json) as Failure);
    else this.write(`${line}\n`);
  }

  private write(text: string): void {
    appendLog(this.options.logFile, text);
  }

  get gauges(): Record<string, number> {
    const highest: Record<string, number> = {};
    for (const gauges of this.latestGauges.values()) {
      for (const [name, value] of Object.entries(gauges)) highest[name] = Math.max(highest[name] ?? value, value);
    }
    return highest;
  }

  get counters(): Record<string, number> {
    const sum: Record<string, number> = {};
    for (const counters of this.latest.values()) {
      for (const [name, n] of Object.entries(counters)) sum[name] = (sum[name] ?? 0) + n;
    }
    return sum;
  }

  /** Waits for a worker to exit. Signals it after the given times, ms. */
  private async stopWorker(
    id: string,
    after: { readonly terminateMs: number; readonly killMs: number },
  ): Promise<void> {
    const worker = this.workers.get(id);
    if (!worker) return;
    worker.stopped = true;
    const terminate = setTimeout(() => {
      // Only once: a second SIGTERM would stop the worker before its sources have nacked their messages.
      worker.signalled = true;
      if (!worker.terminated) worker.process.kill("SIGTERM");
      worker.terminated = true;
    }, after.terminateMs);
    const kill = setTimeout(() => {
      worker.signalled = true;
      worker.process.kill("SIGKILL");
    }, after.killMs);
    await worker.exited;
    clearTimeout(terminate);
    clearTimeout(kill);
  }

  async stop(graceMs = 3000): Promise<void> {
    this.stopping = true;
    await Promise.all([...this.workers.keys()].map((id) => this.stopWorker(id, { terminateMs: 0, killMs: graceMs })));
    this.server.forceShutdown();
  }
}

/** Starts a worker pool on a free port of 127.0.0.1. */
export async function startWorkerPool(options: WorkerPoolOptions): Promise<WorkerPool> {
  const pool = new ProcessPool(options);
  await pool.start();
  return pool;
}
