import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readOptions } from "@eventlogger/options/options";
import type { Progress } from "@eventlogger/options/progress";
import { REPLICA_FLAGS } from "@eventlogger/options/replicaFlags";
import { findNginx } from "@eventlogger/nginx/findNginx";
import { configOptions, nginxOptions, nginxOptionsProblems } from "@eventlogger/nginx/options";
import { nginxArguments, renderNginxConfig } from "@eventlogger/nginx/render";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import {
  startBigQueryEmulator,
  startPubSubEmulator,
  type BigQueryEmulator,
  type PubSubEmulator,
} from "@eventlogger/gcp/emulators/emulators";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { freePort, freePorts, isPortFree } from "@eventlogger/process/ports";
import { answers, awaitReady, NotReadyError } from "@eventlogger/process/readiness";
import { prepareLocal } from "../prepare";
import { StackDirectory } from "./directory";
import { keepRunning, type RestartPolicy } from "./keepRunning";
import { killMarkedProcesses, MARKER_VARIABLE } from "./processMarker";

export interface StackOptions {
  /** Port of the HTTP service. @default 3000 */
  readonly port?: number;
  /** Directory for logs and data; emptied first. @default ".local" */
  readonly localDir?: string;
  /** Whether the pipeline is started. @default true */
  readonly pipeline?: boolean;
  /** Further arguments for `eventlogger run`. */
  readonly pipelineArgs?: readonly string[];
  /** How often the breakdowns are refreshed while the pipeline runs, such as `1m`; undefined: never. @default "1m" */
  readonly refreshEvery?: string | undefined;
  /** False serves without nginx, as on a machine where it is not installed. @default true */
  readonly nginx?: boolean;
  /** Gets a line for each event, such as a service that is ready. */
  readonly onProgress?: (line: string) => void;
  /** Prints the progress of downloads. By default it is not printed. */
  readonly progress?: Pick<Progress, "step">;
  /** Aborting it while the stack starts stops everything that has been started. */
  readonly signal?: AbortSignal;
}

/** Everything on one machine: emulators, pipeline, ingest replicas, nginx. */
export interface Stack {
  /** `http://localhost:PORT`. */
  readonly url: string;
  /** Environment variables that point the commands of `eventlogger` to the emulators. */
  readonly environment: Readonly<{ PUBSUB_EMULATOR_HOST: string; BIGQUERY_ENDPOINT: string }>;
  readonly directory: StackDirectory;
  /** The running processes, by name. */
  readonly pids: () => Record<string, number>;
  /** Resolves when a process has exited unexpectedly; the message names it and shows the end of its log. */
  readonly failed: Promise<Error>;
  /** Stops everything within 15 s, from nginx to the emulators. Safe to repeat. */
  readonly stop: () => Promise<void>;
}

const BIN = join(repositoryRoot, "pipeline", "bin", "eventlogger.js");
const INGEST = join(repositoryRoot, "ingest", "dist", "main.js");
const REPLICAS = 2;
/** Options of the replicas: nginx reports the client address of each request. */
const BEHIND_NGINX = ["--trusted-proxies", "127.0.0.1"];

/** Time that each part has to stop, ms; less than 15 s in total. */
const NGINX_DRAIN_MS = 2000;
const INGEST_DRAIN_MS = 3000;
const PIPELINE_GRACE_MS = 6000;
const REFRESH_GRACE_MS = 1000;
const EMULATOR_GRACE_MS = 2000;

const PIPELINE_READY_MS = 180_000;
const SERVICE_READY_MS = 60_000;
/** A replica restarts at once: until then the other one serves, and clients retry. */
const REPLICA_RESTARTS: RestartPolicy = {
  maxRestarts: 5,
  withinMs: 60_000,
  backoff: { initialMs: 200, maxMs: 200 },
};
/** The pipeline also exits when it is stuck. Messages wait in the subscription. */
const PIPELINE_RESTARTS: RestartPolicy = {
  maxRestarts: 5,
  withinMs: 600_000,
  backoff: { initialMs: 2000, maxMs: 30_000 },
};

/** A refresh goes on where the last one stopped. */
const REFRESH_RESTARTS: RestartPolicy = PIPELINE_RESTARTS;

/** The dimensions of the breakdowns: those that are the default, and a property that `eventlogger generate` makes. */
const BREAKDOWNS = "event_name,app,country,page,platform,properties.plan";

/** Runs steps without printing anything. */
const SILENT: Pick<Progress, "step"> = { step: async (_name, work) => work(() => {}) };

class LocalStack {
  readonly failed: Promise<Error>;
  private fail: (error: Error) => void = () => {};
  private stopping: Promise<void> | undefined;
  private nginx: ChildProcess | undefined;
  private pipeline: ChildProcess | undefined;
  private refresh: ChildProcess | undefined;
  private readonly ingest = new Map<string, ChildProcess>();
  private readonly emulators: (PubSubEmulator | BigQueryEmulator)[] = [];
  private environment: Stack["environment"] | undefined;
  private readonly marker: Readonly<Record<string, string>>;

  constructor(
    readonly directory: StackDirectory,
    private readonly port: number,
    private readonly say: (line: string) => void,
    private readonly progress: Pick<Progress, "step">,
  ) {
    this.marker = { [MARKER_VARIABLE]: directory.id };
    this.failed = new Promise((resolvePromise) => (this.fail = resolvePromise));
  }

  /** Downloads what is missing; the first time this takes a minute or more. */
  async prepare(): Promise<void> {
    // pip and Maven inherit the marker, so that a stop finds them.
    process.env[MARKER_VARIABLE] = this.directory.id;
    try {
      await prepareLocal(this.progress);
    } finally {
      delete process.env[MARKER_VARIABLE];
    }
  }

  async startEmulators(): Promise<void> {
    const [pubsub, bigquery] = await Promise.all([
      this.started(startPubSubEmulator({ logFile: this.directory.logFile("pubsub-emulator"), env: this.marker })),
      this.started(
        startBigQueryEmulator({
          dataDir: this.directory.bigquery,
          logFile: this.directory.logFile("bigquery-emulator"),
          env: this.marker,
        }),
      ),
    ]);
    this.say(`Pub/Sub emulator ready on ${pubsub.host}`);
    this.say(`BigQuery emulator ready on ${bigquery.url}`);
    this.environment = { PUBSUB_EMULATOR_HOST: pubsub.host, BIGQUERY_ENDPOINT: bigquery.url };
  }

  async setUp(): Promise<void> {
    const child = await this.node("setup", [BIN, "setup"]);
    const { code } = await child.exited;
    if (code !== 0) throw new NotReadyError(child, `failed (exit code ${code})`);
    this.say("created schema, topic, subscription, dataset, tables and views");
  }

  async startPipeline(args: readonly string[]): Promise<void> {
    // Several stacks run side by side, so each has a port of its own.
    const metrics = process.env["METRICS_PORT"] ? [] : ["--metrics-port", String(await freePort())];
    const start = async (): Promise<ChildProcess> => {
      const run = [BIN, "run", "--state-dir", this.directory.pipeline, ...metrics, ...args];
      return (this.pipeline = await this.node("pipeline", run));
    };
    const child = await start();
    this.say("starting the pipeline");
    await awaitReady(child, async () => /^running /m.test(child.logTail(200)), PIPELINE_READY_MS);
    const [, url] = /^metrics on (\S+)$/m.exec(child.logTail(200)) ?? [];
    this.say(`pipeline running${url ? `; metrics on ${url}` : ""}`);
    this.keep(child, PIPELINE_RESTARTS, start);
  }

  async startRefresh(every: string): Promise<void> {
    const start = async (): Promise<ChildProcess> =>
      (this.refresh = await this.node("refresh", [BIN, "refresh", "--every", every, "--breakdowns", BREAKDOWNS]));
    this.keep(await start(), REFRESH_RESTARTS, start);
    this.say(`refreshing the breakdowns every ${every}`);
  }

  async startServing(nginx: string | undefined): Promise<void> {
    if (!nginx) {
      await this.startReplica("ingest", this.port);
      this.say(`nginx is not installed (apt-get install nginx): one ingest replica serves port ${this.port} directly`);
      return;
    }
    const ports = await freePorts(REPLICAS);
    await Promise.all(ports.map((port, i) => this.startReplica(`ingest-${i + 1}`, port, BEHIND_NGINX)));
    const upstreams = ports.map((port) => `127.0.0.1:${port}`);
    const { nginx: directory } = this.directory;
    const configFile = join(directory, "nginx.conf");
    // Everything else comes from the environment, as for the replicas. ACCESS_LOG of the replicas has other values.
    const own = { upstreams, host: "127.0.0.1", port: this.port, directory, accessLog: "file" };
    const options = readOptions(nginxOptions, own, process.env, nginxOptionsProblems);
    writeFileSync(configFile, renderNginxConfig({ ...configOptions(options), upstreams }));
    const child = await this.child("nginx", nginx, nginxArguments(configFile, directory));
    this.nginx = child;
    this.watch(child);
    await awaitReady(child, () => answers(`http://127.0.0.1:${this.port}/healthz`), SERVICE_READY_MS);
    this.say(`${REPLICAS} ingest replicas ready behind nginx`);
  }

  handle(): Stack {
    return {
      url: `http://localhost:${this.port}`,
      environment: this.environment as Stack["environment"],
      directory: this.directory,
      failed: this.failed,
      pids: () => Object.fromEntries(this.running().map((child) => [child.name, child.pid])),
      stop: () => this.stop(),
    };
  }

  stop(): Promise<void> {
    this.stopping ??= this.stopInOrder();
    return this.stopping;
  }

  /** Stops the entry points first and the emulators, which hold the data, last. */
  private async stopInOrder(): Promise<void> {
    if (this.nginx?.running) {
      process.kill(this.nginx.pid, "SIGQUIT"); // answers the requests in flight; SIGTERM would cut them off
      await Promise.race([this.nginx.exited, sleep(NGINX_DRAIN_MS)]);
      await this.nginx.stop(500);
    }
    await Promise.all([...this.ingest.values()].map((child) => child.stop(INGEST_DRAIN_MS + 500)));
    await Promise.all([this.refresh?.stop(REFRESH_GRACE_MS), this.pipeline?.stop(PIPELINE_GRACE_MS)]);
    await Promise.all(this.emulators.map((emulator) => emulator.process.stop(EMULATOR_GRACE_MS)));
    await killMarkedProcesses(this.directory.id);
  }

  private running(): ChildProcess[] {
    const emulators = this.emulators.map((emulator) => emulator.process);
    const all = [...emulators, this.pipeline, this.refresh, ...this.ingest.values(), this.nginx];
    return all.filter((child): child is ChildProcess => child?.running === true);
  }

  private async started<E extends PubSubEmulator | BigQueryEmulator>(starting: Promise<E>): Promise<E> {
    const emulator = await starting;
    this.emulators.push(emulator);
    if (this.stopping) await emulator.stop();
    this.directory.record(emulator.process.name, emulator.process.pid);
    this.watch(emulator.process);
    return emulator;
  }

  private async child(name: string, command: string, args: readonly string[]): Promise<ChildProcess> {
    if (this.stopping) throw new Error("The stack is stopping");
    const env = { ...this.environment, ...this.marker };
    const child = await startChildProcess({ name, command, args, env, logFile: this.directory.logFile(name) });
    if (this.stopping) await child.stop(0);
    this.directory.record(name, child.pid);
    return child;
  }

  private node(name: string, args: readonly string[]): Promise<ChildProcess> {
    return this.child(name, process.execPath, args);
  }

  /** Fails the stack when a process exits. */
  private watch(child: ChildProcess): void {
    void child.exited.then(({ code, signal }) => {
      if (!this.stopping) this.fail(new NotReadyError(child, `exited (${signal ?? `exit code ${code}`})`));
    });
  }

  private async startReplica(name: string, port: number, more: readonly string[] = []): Promise<void> {
    const start = async (): Promise<ChildProcess> => {
      const args = ["--host", "127.0.0.1", "--port", String(port), "--drain-timeout", `${INGEST_DRAIN_MS}ms`, ...more];
      const child = await this.node(name, [...REPLICA_FLAGS, INGEST, ...args]);
      this.ingest.set(name, child);
      return child;
    };
    const first = await start();
    await awaitReady(first, () => answers(`http://127.0.0.1:${port}/readyz`), SERVICE_READY_MS);
    this.keep(first, REPLICA_RESTARTS, start);
  }

  /** Restarts a process whenever it exits. Fails the stack when it exits too often. */
  private keep(first: ChildProcess, policy: RestartPolicy, start: () => Promise<ChildProcess>): void {
    const isStopping = (): boolean => this.stopping !== undefined;
    void keepRunning(first, policy, { start, isStopping, say: this.say }).then((error) => error && this.fail(error));
  }
}

/**
 * Starts everything on one machine, with empty data. A start that fails stops everything that it has started.
 * @throws Error that names the process that did not start, with the end of its log; the signal's reason when aborted.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const { port = 3000, localDir = ".local", signal, onProgress: say = () => {} } = options;
  const refreshEvery = "refreshEvery" in options ? options.refreshEvery : "1m";
  const directory = await StackDirectory.claim(resolve(localDir), randomUUID(), say);
  // Only after the claim has stopped the leftovers of a killed stack, which may have held the port.
  if (!(await isPortFree(port))) throw new Error(`Port ${port} is in use. Choose another one: PORT=${port + 1}`);
  const stack = new LocalStack(directory, port, say, options.progress ?? SILENT);
  const steps: (() => Promise<void>)[] = [
    () => stack.prepare(),
    () => stack.startEmulators(),
    () => stack.setUp(),
    ...(options.pipeline === false ? [] : [() => stack.startPipeline(options.pipelineArgs ?? [])]),
    ...(options.pipeline === false || refreshEvery === undefined ? [] : [() => stack.startRefresh(refreshEvery)]),
    () => stack.startServing(options.nginx === false ? undefined : findNginx()),
  ];
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal?.reason as Error);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
  const failure = stack.failed.then((error) => Promise.reject(error));
  failure.catch(() => {}); // a later failure is reported by `failed`
  try {
    signal?.throwIfAborted();
    for (const step of steps) await Promise.race([step(), aborted, failure]);
    return stack.handle();
  } catch (error) {
    await stack.stop();
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}
