import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readOptions } from "@eventlogger/options/options";
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
import { freePorts, isPortFree } from "@eventlogger/process/ports";
import { prepareLocal } from "../prepare";
import { answers, awaitReady, NotReadyError } from "@eventlogger/process/readiness";
import { StackDirectory } from "./directory";
import { killMarked, MARK } from "./mark";
import { findNginx } from "@eventlogger/nginx/findNginx";

export interface StackOptions {
  /** Where events are posted to. @default 3000 */
  readonly port?: number;
  /** Logs and data; emptied first. @default ".local" */
  readonly localDir?: string;
  /** False leaves the pipeline to whoever starts the stack. @default true */
  readonly pipeline?: boolean;
  /** Further arguments for `eventlogger run`. */
  readonly pipelineArgs?: readonly string[];
  /** False does without nginx, as where it is not installed. @default true */
  readonly nginx?: boolean;
  /** Told what happens, line by line. */
  readonly onProgress?: (line: string) => void;
  /** Aborting it while the stack starts stops what has been started. */
  readonly signal?: AbortSignal;
}

/** Everything on one machine: emulators, pipeline, ingest replicas, nginx. */
export interface Stack {
  /** `http://localhost:PORT`. */
  readonly url: string;
  /** Variables with which the commands of `eventlogger` find the emulators. */
  readonly environment: Readonly<{ PUBSUB_EMULATOR_HOST: string; BIGQUERY_ENDPOINT: string }>;
  readonly directory: StackDirectory;
  /** The processes that were started and run, by name. */
  readonly pids: () => Record<string, number>;
  /** Resolves when a process has ended that should not have; the message names it and shows the end of its log. */
  readonly failed: Promise<Error>;
  /** Stops everything, what takes events first; within 15 s. Safe to repeat. */
  readonly stop: () => Promise<void>;
}

const BIN = join(repositoryRoot, "pipeline", "bin", "eventlogger.js");
const INGEST = join(repositoryRoot, "ingest", "dist", "main.js");
const REPLICAS = 2;
/** For the replicas: nginx says whose request it is. */
const BEHIND_NGINX = ["--trusted-proxies", "127.0.0.1"];

/** Times to stop, ms; together less than 15 s. */
const NGINX_DRAIN_MS = 2000;
const INGEST_DRAIN_MS = 3000;
const PIPELINE_GRACE_MS = 6000;
const EMULATOR_GRACE_MS = 2000;

const PIPELINE_READY_MS = 180_000;
const SERVICE_READY_MS = 60_000;
/** A replica that ends more often than this within a minute is not started again. */
const MAX_RESTARTS = 5;

class LocalStack {
  readonly failed: Promise<Error>;
  private fail: (error: Error) => void = () => {};
  private stopping: Promise<void> | undefined;
  private nginx: ChildProcess | undefined;
  private pipeline: ChildProcess | undefined;
  private readonly ingest = new Map<string, ChildProcess>();
  private readonly emulators: (PubSubEmulator | BigQueryEmulator)[] = [];
  private environment: Stack["environment"] | undefined;
  private readonly mark: Readonly<Record<string, string>>;

  constructor(
    readonly directory: StackDirectory,
    private readonly port: number,
    private readonly say: (line: string) => void,
  ) {
    this.mark = { [MARK]: directory.id };
    this.failed = new Promise((resolvePromise) => (this.fail = resolvePromise));
  }

  /** Downloads what is missing; a minute or more the first time. */
  async prepare(): Promise<void> {
    // Both start programs of their own, which a stop must find.
    process.env[MARK] = this.directory.id;
    try {
      await prepareLocal(this.say);
    } finally {
      delete process.env[MARK];
    }
  }

  async startEmulators(): Promise<void> {
    const [pubsub, bigquery] = await Promise.all([
      this.started(startPubSubEmulator({ logFile: this.directory.logFile("pubsub-emulator"), env: this.mark })),
      this.started(
        startBigQueryEmulator({
          dataDir: this.directory.bigquery,
          logFile: this.directory.logFile("bigquery-emulator"),
          env: this.mark,
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
    this.say("schema, topic, subscription, dataset, tables and views made");
  }

  async startPipeline(args: readonly string[]): Promise<void> {
    const child = await this.node("pipeline", [BIN, "run", "--state-dir", this.directory.pipeline, ...args]);
    this.pipeline = child;
    this.watch(child);
    this.say("starting the pipeline");
    await awaitReady(child, async () => /^running /m.test(child.logTail(200)), PIPELINE_READY_MS);
    this.say("pipeline running");
  }

  async startServing(nginx: string | undefined): Promise<void> {
    if (!nginx) {
      await this.startReplica("ingest", this.port);
      this.say(`no nginx (apt-get install nginx): one ingest replica serves port ${this.port} directly`);
      return;
    }
    const ports = await freePorts(REPLICAS);
    await Promise.all(ports.map((port, i) => this.startReplica(`ingest-${i + 1}`, port, BEHIND_NGINX)));
    const upstreams = ports.map((port) => `127.0.0.1:${port}`);
    const { nginx: directory } = this.directory;
    const configFile = join(directory, "nginx.conf");
    // All else is what the environment says, as for the replicas; their ACCESS_LOG has other values.
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

  /** First what lets events in, last what holds them. */
  private async stopInOrder(): Promise<void> {
    if (this.nginx?.running) {
      process.kill(this.nginx.pid, "SIGQUIT"); // answers what is under way; SIGTERM would cut it off
      await Promise.race([this.nginx.exited, sleep(NGINX_DRAIN_MS)]);
      await this.nginx.stop(500);
    }
    await Promise.all([...this.ingest.values()].map((child) => child.stop(INGEST_DRAIN_MS + 500)));
    await this.pipeline?.stop(PIPELINE_GRACE_MS);
    await Promise.all(this.emulators.map((emulator) => emulator.process.stop(EMULATOR_GRACE_MS)));
    await killMarked(this.directory.id);
  }

  private running(): ChildProcess[] {
    const emulators = this.emulators.map((emulator) => emulator.process);
    const all = [...emulators, this.pipeline, ...this.ingest.values(), this.nginx];
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
    if (this.stopping) throw new Error("The stack is being stopped");
    const env = { ...this.environment, ...this.mark };
    const child = await startChildProcess({ name, command, args, env, logFile: this.directory.logFile(name) });
    if (this.stopping) await child.stop(0);
    this.directory.record(name, child.pid);
    return child;
  }

  private node(name: string, args: readonly string[]): Promise<ChildProcess> {
    return this.child(name, process.execPath, args);
  }

  /** Makes the end of a process the failure of the stack. */
  private watch(child: ChildProcess): void {
    void child.exited.then(({ code, signal }) => {
      if (!this.stopping) this.fail(new NotReadyError(child, `ended (${signal ?? `exit code ${code}`})`));
    });
  }

  private async startReplica(name: string, port: number, more: readonly string[] = []): Promise<void> {
    const start = async (): Promise<ChildProcess> => {
      const args = ["--host", "127.0.0.1", "--port", String(port), "--drain-timeout", `${INGEST_DRAIN_MS}ms`, ...more];
      const child = await this.node(name, [INGEST, ...args]);
      this.ingest.set(name, child);
      return child;
    };
    const first = await start();
    await awaitReady(first, () => answers(`http://127.0.0.1:${port}/readyz`), SERVICE_READY_MS);
    void this.keepAlive(first, start);
  }

  /** Starts a replica again when it ends: the other one, or a client that sends again, bridges the gap. */
  private async keepAlive(first: ChildProcess, start: () => Promise<ChildProcess>): Promise<void> {
    let child = first;
    let restarts: number[] = [];
    for (;;) {
      const { code, signal } = await child.exited;
      if (this.stopping) return;
      const how = `ended (${signal ?? `exit code ${code}`})`;
      restarts = [...restarts.filter((at) => at > Date.now() - 60_000), Date.now()];
      if (restarts.length > MAX_RESTARTS) return this.fail(new NotReadyError(child, `${how} again and again`));
      this.say(`${child.name} ${how}; starting it again`);
      await sleep(200);
      try {
        child = await start();
      } catch (error) {
        if (!this.stopping) this.fail(error as Error);
        return;
      }
    }
  }
}

/**
 * Starts everything on one machine, on empty data. What it started is stopped again when it fails.
 * @throws Error that says what could not be started, with the end of its log; the signal's reason when aborted.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const { port = 3000, localDir = ".local", signal, onProgress: say = () => {} } = options;
  const directory = await StackDirectory.claim(resolve(localDir), randomUUID(), say);
  // Only now: what a killed stack left behind may have held the port.
  if (!(await isPortFree(port))) throw new Error(`Port ${port} is taken. Choose another one: PORT=${port + 1}`);
  const stack = new LocalStack(directory, port, say);
  const steps: (() => Promise<void>)[] = [
    () => stack.prepare(),
    () => stack.startEmulators(),
    () => stack.setUp(),
    ...(options.pipeline === false ? [] : [() => stack.startPipeline(options.pipelineArgs ?? [])]),
    () => stack.startServing(options.nginx === false ? undefined : findNginx()),
  ];
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal?.reason as Error);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
  const failure = stack.failed.then((error) => Promise.reject(error));
  failure.catch(() => {}); // also when it comes later: then `failed` tells of it
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
