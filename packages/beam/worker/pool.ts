import "../sdk";
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
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
import { appendLog } from "@eventlogger/process/logFiles";
import { ACCESS_TOKEN_PARAMETER, isAccessToken } from "../accessToken";
import { COUNTERS_LINE, FAILURE_LINE, GAUGES_LINE, type Failure } from "./counters";
import {
  addStatusService,
  type NumberedFailure,
  type PoolStatus,
  type StatusRequest,
  type StoppedWorkers,
  type StopWorkersRequest,
} from "./poolStatus";
import { decodeStartParameters, registeredModules, START_PARAMETER, type StartParameters } from "./startParameters";

/** Options of {@link startWorkerPool}. */
export interface WorkerPoolOptions {
  /** File to which the output of all workers is appended; undefined: standard output. */
  readonly logFile: string | undefined;
  /** Address to listen on. @default "127.0.0.1" */
  readonly host?: string;
  /** Port to listen on. @default 0, any free port */
  readonly port?: number;
  /**
   * Serves launchers of other processes, whose requests name the modules, the environment and the heap limit of workers.
   * Undefined: the pool serves only its own process.
   */
  readonly serveOthers?: {
    /** Names of the environment variables that a launcher may set. */
    readonly allowedEnv: readonly string[];
  };
  /** Version of the code of the workers, for launchers that compare it with their own. */
  readonly version?: string;
  /** Folder from which workers resolve the registered modules. Default: the working directory. */
  readonly requireFrom?: string;
  /** Token that each request for a worker must contain; undefined: none is needed. */
  readonly accessToken?: string | undefined;
  /** Environment of the workers, added to that of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Called before each start of a worker; returns further variables of its environment. If it throws, the start fails.
   * @param env the variables that the launcher has set
   */
  readonly envOfStart?: (env: Readonly<Record<string, string>>) => Readonly<Record<string, string>>;
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
  /** Address for an external environment: `127.0.0.1:PORT`, or the address that was asked for. */
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
  /** See {@link StartParameters}. */
  readonly job: string;
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

/** The id by which the runner stops a worker. */
const idOf = (workerId: string, params: Readonly<Record<string, string>>): string =>
  params[START_PARAMETER] ?? workerId;

/** A worker that starts for nobody is killed after this time, ms. */
const CANCELLED_KILL_MS = 5000;

/** Workers whose job has ended stop by themselves. Those that do not are terminated and killed after these times. */
const AFTER_JOB = { terminateMs: 2500, killMs: 8000 };

/** The pool forgets the failures before these. */
const MAX_FAILURES = 100;
/** The pool forgets the reports of workers before these. */
const MAX_REPORTS = 1000;

/** What a worker has reported last. */
interface Reports {
  readonly job: string;
  counters: Readonly<Record<string, number>>;
  /** Undefined: the worker has exited, or has reported none. */
  gauges: Readonly<Record<string, number>> | undefined;
  exitedUnexpectedly: boolean;
}

class ProcessPool implements WorkerPool {
  private readonly instance = randomUUID();
  /** By the ids of their starts. */
  private readonly workers = new Map<string, RunningWorker>();
  private readonly server = new grpc.Server();
  /** Of all workers, also those that have exited. */
  private readonly reports: Reports[] = [];
  private readonly failures: (NumberedFailure & { readonly job: string })[] = [];
  private lastFailure = 0;
  private stopping = false;
  address = "";

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
        if (call.cancelled) return; // nobody would ever stop the worker
        try {
          const worker = this.startWorker(workerId, controlEndpoint?.url ?? "", params);
          let isAnswered = false;
          // The runner waits no longer, or has died: it will not ask to stop the worker.
          call.on("cancelled", () => {
            if (!isAnswered)
              void this.stopWorker(idOf(workerId, params), { terminateMs: 0, killMs: CANCELLED_KILL_MS });
          });
          void hasStarted(worker).then((error) => {
            isAnswered = true;
            callback(null, { error });
          });
        } catch (error) {
          if (this.options.serveOthers)
            this.failed(params["job"] ?? "", { what: "starting a worker", error: String(error) });
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
    addStatusService(this.server, options.accessToken, {
      status: (request) => this.status(request),
      stopWorkers: (request) => this.stopWorkersOf(request),
    });
  }

  get pids(): number[] {
    return [...this.workers.values()].map((w) => w.process.pid).filter((pid) => pid !== undefined);
  }

  async start(): Promise<void> {
    const { host = "127.0.0.1" } = this.options;
    const port = await new Promise<number>((resolve, reject) =>
      this.server.bindAsync(
        `${host}:${this.options.port ?? 0}`,
        grpc.ServerCredentials.createInsecure(),
        (error, bound) => (error ? reject(error) : resolve(bound)),
      ),
    );
    this.address = `${host}:${port}`;
  }

  /** What a request asks for; the pool's own process registers its modules here. */
  private parametersOf(params: Readonly<Record<string, string>>): StartParameters {
    const { serveOthers } = this.options;
    if (serveOthers) return decodeStartParameters(params, serveOthers.allowedEnv);
    return { job: params["job"] ?? "", modules: registeredModules(), env: {}, heapMiB: undefined };
  }

  private startWorker(workerId: string, controlUrl: string, params: Readonly<Record<string, string>>): RunningWorker {
    // A job that Flink restarts at this moment would leave a worker behind.
    if (this.stopping) throw new Error("The worker pool is stopping");
    const { job, modules, env, heapMiB } = this.parametersOf(params);
    const id = idOf(workerId, params);
    const args = [
      ...(heapMiB === undefined ? [] : [`--max-old-space-size=${heapMiB}`]),
      ...(this.options.nodeArgs ?? []),
      workerProgram(),
      `--id=${workerId}`,
      `--control_endpoint=${controlUrl}`,
      `--modules=${JSON.stringify(modules)}`,
      `--require-from=${this.options.requireFrom ?? process.cwd()}`,
    ];
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "pipe"],
      // A separate process group: Ctrl-C on the terminal reaches only the launcher, which stops its workers.
      detached: true,
      env: { ...process.env, ...this.options.env, ...env, ...this.options.envOfStart?.(env) },
    });
    const reports: Reports = { job, counters: {}, gauges: undefined, exitedUnexpectedly: false };
    this.reports.push(reports);
    if (this.reports.length > MAX_REPORTS) this.reports.shift();
    createInterface({ input: child.stdout }).on("line", (line) => this.handleLine(reports, line));
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.write(text));
    const worker: RunningWorker = {
      job,
      process: child,
      stopped: false,
      terminated: false,
      signalled: false,
      exited: new Promise((resolve) => {
        child.once("error", (error) => this.write(`worker ${workerId} cannot be started: ${error.message}\n`));
        child.once("close", (code, signal) => {
          this.workers.delete(id);
          reports.gauges = undefined;
          resolve();
          this.options.onWorkersChanged?.();
          // A worker exits with 0 when the runner closes its control stream.
          // The runner may ask to stop a worker that has just been killed, before this process is told that it has exited.
          const isKilled = signal !== null && !worker.signalled;
          if (isKilled || (!worker.stopped && code !== 0)) {
            reports.exitedUnexpectedly = true;
            const status = signal ? `was killed by ${signal}` : `exited with code ${code}`;
            this.write(`worker ${workerId} ${status}\n`);
            this.options.onUnexpectedExit?.(workerId, status);
            if (this.options.serveOthers) {
              const error = `worker ${workerId} ${status}; Flink starts the job again from its last checkpoint`;
              this.failed(job, { what: "a worker", error });
            }
          }
        });
      }),
    };
    this.workers.set(id, worker);
    this.options.onWorkersChanged?.();
    return worker;
  }

  private handleLine(reports: Reports, line: string): void {
    const report = /^(@\w+ )(\{.*)/.exec(line);
    const [, kind, json = ""] = report ?? [];
    if (kind === COUNTERS_LINE) reports.counters = JSON.parse(json) as Record<string, number>;
    else if (kind === GAUGES_LINE) reports.gauges = JSON.parse(json) as Record<string, number>;
    else if (kind === FAILURE_LINE) this.failed(reports.job, JSON.parse(json) as Failure);
    else this.write(`${line}\n`);
  }

  private failed(job: string, failure: Failure): void {
    this.failures.push({ ...failure, job, number: ++this.lastFailure });
    if (this.failures.length > MAX_FAILURES) this.failures.shift();
    this.options.onFailure?.(failure);
  }

  private write(text: string): void {
    const { logFile } = this.options;
    if (logFile === undefined) process.stdout.write(text);
    else appendLog(logFile, text);
  }

  private reportsOf(job: string): Reports[] {
    return this.reports.filter((reports) => reports.job.startsWith(job));
  }

  private gaugesOf(job: string): Record<string, number> {
    const highest: Record<string, number> = {};
    for (const { gauges } of this.reportsOf(job)) {
      for (const [name, value] of Object.entries(gauges ?? {})) highest[name] = Math.max(highest[name] ?? value, value);
    }
    return highest;
  }

  private countersOf(job: string): Record<string, number> {
    const sum: Record<string, number> = {};
    for (const { counters } of this.reportsOf(job)) {
      for (const [name, n] of Object.entries(counters)) sum[name] = (sum[name] ?? 0) + n;
    }
    return sum;
  }

  private unexpectedExitsOf(job: string): number {
    return this.reportsOf(job).filter(({ exitedUnexpectedly }) => exitedUnexpectedly).length;
  }

  get gauges(): Record<string, number> {
    return this.gaugesOf("");
  }

  get counters(): Record<string, number> {
    return this.countersOf("");
  }

  get unexpectedExits(): number {
    return this.unexpectedExitsOf("");
  }

  private status({ job, failuresAfter, file }: StatusRequest): PoolStatus {
    return {
      instance: this.instance,
      version: this.options.version ?? "",
      workers: [...this.workers.values()].filter((worker) => worker.job.startsWith(job)).length,
      counters: this.countersOf(job),
      gauges: this.gaugesOf(job),
      unexpectedExits: this.unexpectedExitsOf(job),
      failures: this.failures
        .filter((failure) => failure.job.startsWith(job) && failure.number > failuresAfter)
        .map(({ number, what, error }) => ({ number, what, error })),
      ...(file && { seesFile: hasContent(file) }),
    };
  }

  private async stopWorkersOf({ job }: StopWorkersRequest): Promise<StoppedWorkers> {
    if (!job) throw new Error("The request to stop workers names no job");
    const ids = [...this.workers].filter(([, worker]) => worker.job.startsWith(job)).map(([id]) => id);
    await Promise.all(ids.map((id) => this.stopWorker(id, AFTER_JOB)));
    return { workers: ids.length };
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

function hasContent({ path, content }: NonNullable<StatusRequest["file"]>): boolean {
  try {
    return readFileSync(path, "utf8") === content;
  } catch {
    return false;
  }
}

/**
 * Starts a worker pool, by default on a free port of 127.0.0.1.
 * @throws Error when it cannot listen on the address
 */
export async function startWorkerPool(options: WorkerPoolOptions): Promise<WorkerPool> {
  const pool = new ProcessPool(options);
  await pool.start();
  return pool;
}
