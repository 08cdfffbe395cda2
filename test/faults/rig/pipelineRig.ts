import { readFileSync, mkdtempSync, rmSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { generateTraffic } from "@eventlogger/traffic/generator/trafficGenerator";
import type { TrafficOptions } from "@eventlogger/traffic/generator/trafficOptions";
import type { EventInput } from "@eventlogger/events/event";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { startStack, type Stack } from "@eventlogger/local/stack/stack";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { freePort } from "@eventlogger/process/ports";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { processUsage } from "@eventlogger/process/processUsage";
import { answers, awaitLogLine, awaitReady, logLength } from "@eventlogger/process/readiness";
import { startRelay, type Relay } from "@eventlogger/process/testing/relay";
import { waitUntil } from "@eventlogger/process/wait";
import { printFigures } from "../faultReport";
import { sendBatches, type SendOptions } from "./batchSender";
import { startGrpcFaultProxy, type GrpcFaultProxy } from "./grpcFaultProxy";
import { startHttpFaultProxy, type HttpFaultProxy } from "./httpFaultProxy";
import { Ledger } from "./ledger";

const PROJECT = "demo-project";
const DATASET = "analytics";
const BIN = path.join(repositoryRoot, "pipeline", "bin", "eventlogger.js");
const INGEST = path.join(repositoryRoot, "ingest", "dist", "main.js");
const START_LIMIT_MS = 180_000;
/** Heap limit of the pipeline's worker, MiB. */
export const WORKER_MEMORY_MIB = 2048;

/** Traffic in any order, with repetitions, sessions over midnight and events of 2020. */
const TRAFFIC: Partial<TrafficOptions> = { days: 3, users: 1000, eventsPerSession: 4, shuffleWindow: 500 };

/**
 * The whole chain with a proxy on each way that can fail. Calls go through a proxy that fails calls, and then through a relay
 * that fails connections:
 *
 *     ingest ── callsOfIngest ──────────────────────────┐
 *     pipeline ── pubsubNetwork ── callsOfPipeline ─────┴─ Pub/Sub emulator
 *     pipeline ── bigqueryNetwork ── bigqueryCalls ─────── BigQuery emulator
 */
export interface PipelineRig {
  readonly callsOfIngest: GrpcFaultProxy;
  readonly callsOfPipeline: GrpcFaultProxy;
  readonly pubsubNetwork: Relay;
  readonly bigqueryCalls: HttpFaultProxy;
  readonly bigqueryNetwork: Relay;
  /** What the tables must contain. */
  readonly ledger: Ledger;
  /** Base URL of the ingest replica. */
  readonly url: string;
  readonly pubsubEmulatorPid: number;
  /** `host:port` of the Pub/Sub emulator, without a proxy. */
  readonly pubsubHost: string;
  /** Ids of the pipeline's workers that run now. */
  workerPids(): readonly number[];
  /** Largest resident memory of all workers so far, MiB. */
  readonly workerPeakMiB: number;
  /** Events of this rig that no other call has returned. */
  traffic(options?: Partial<TrafficOptions>): EventInput[];
  /** Sends events through ingest, and records them in the ledger. @throws Error when one is not accepted */
  send(events: readonly EventInput[], options?: SendOptions): Promise<void>;
  startPipeline(): Promise<void>;
  stopPipeline(): Promise<void>;
  /** The running `eventlogger run`; undefined when it was stopped. */
  readonly run: ChildProcess | undefined;
  readonly stateDir: string;
  /** Waits for exact rollups and a complete account, and prints how long it took; see {@link Ledger.settle}. */
  settle(timeoutMs: number): Promise<{ ms: number; rowsPerEvent: number }>;
}

export interface RigOptions {
  /**
   * Limit of a publish of ingest, such as `5s`. A message that is sent again after half of it is in the topic twice, and has
   * two rows. @default "5s"
   */
  readonly publishTimeout?: string;
  /** Called once before `run` starts for the first time. @returns further arguments and variables of `run` at each start */
  readonly prepareRun?: (surroundings: RunSurroundings) => Promise<RunAdditions>;
}

/** What surrounds `run` in a rig. */
export interface RunSurroundings {
  /** Folder of the rig. */
  readonly directory: string;
  readonly stateDir: string;
  /** The variables with the addresses of the services. */
  readonly services: Readonly<Record<string, string>>;
}

/** What a rig adds to `run`. */
export interface RunAdditions {
  /** Called before each start. */
  readonly args: () => readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Stops what was started, after `run`. */
  stop(): Promise<void>;
}

/** Starts the rig around the tests of the `describe` that calls this. */
export function usePipelineRig({ publishTimeout = "5s", prepareRun }: RigOptions = {}): PipelineRig {
  const directory = mkdtempSync(path.join(tmpdir(), "pipeline-rig-"));
  const stateDir = path.join(directory, "state");
  const stops: (() => Promise<unknown>)[] = [];
  let stack: Stack;
  let run: ChildProcess | undefined;
  let additions: RunAdditions | undefined;
  let parts: Pick<
    PipelineRig,
    "callsOfIngest" | "callsOfPipeline" | "pubsubNetwork" | "bigqueryCalls" | "bigqueryNetwork" | "ledger" | "url"
  >;
  let seed = 100;
  let workerPeakMiB = 0;
  let watch: NodeJS.Timeout | undefined;

  async function started<T extends { stop(): Promise<unknown> }>(starting: Promise<T>): Promise<T> {
    const part = await starting;
    stops.unshift(() => part.stop());
    return part;
  }

  async function startIngest(pubsubHost: string, bigqueryUrl: string): Promise<string> {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const child = await started(
      startChildProcess({
        name: "ingest replica",
        command: process.execPath,
        args: [INGEST, "--host", "127.0.0.1", "--port", String(port), "--publish-timeout", publishTimeout],
        env: { PUBSUB_EMULATOR_HOST: pubsubHost, BIGQUERY_ENDPOINT: bigqueryUrl },
        logFile: path.join(directory, "ingest.log"),
      }),
    );
    await awaitReady(child, () => answers(`${url}/readyz`), 60_000);
    return url;
  }

  async function startPipeline(): Promise<void> {
    const { pubsubNetwork, bigqueryNetwork } = parts;
    const services = { PUBSUB_EMULATOR_HOST: pubsubNetwork.host, BIGQUERY_ENDPOINT: `http://${bigqueryNetwork.host}` };
    if (prepareRun && !additions) additions = await started(prepareRun({ directory, stateDir, services }));
    const logFile = path.join(directory, "run.log");
    const from = logLength(logFile); // earlier starts have written to it
    run = await startChildProcess({
      name: "eventlogger run",
      command: process.execPath,
      args: [
        ...[BIN, "run", "--state-dir", stateDir, "--worker-memory", String(WORKER_MEMORY_MIB)],
        ...(additions?.args() ?? []),
      ],
      env: { ...services, ...additions?.env },
      logFile,
    });
    await awaitLogLine(run, /^running /m, { from, timeoutMs: START_LIMIT_MS });
  }

  async function stopPipeline(): Promise<void> {
    await run?.stop(15_000);
    run = undefined;
  }

  function workerPids(): number[] {
    const file = path.join(stateDir, "processes.json");
    if (!existsSync(file)) return [];
    try {
      const { children } = JSON.parse(readFileSync(file, "utf8")) as { children: { pid: number }[] };
      return children.slice(1).map(({ pid }) => pid);
    } catch {
      return []; // it is being written
    }
  }

  before(async function () {
    this.timeout(400_000);
    stack = await started(
      startStack({
        port: await freePort(),
        localDir: path.join(directory, "local"),
        pipeline: false,
        nginx: false,
      }),
    );
    const { PUBSUB_EMULATOR_HOST: pubsubHost, BIGQUERY_ENDPOINT: bigqueryUrl } = stack.environment;
    const callsOfIngest = await started(startGrpcFaultProxy(pubsubHost));
    const callsOfPipeline = await started(startGrpcFaultProxy(pubsubHost));
    const pubsubNetwork = await started(startRelay(callsOfPipeline.host));
    const bigqueryCalls = await started(startHttpFaultProxy(bigqueryUrl));
    const bigqueryNetwork = await started(startRelay(new URL(bigqueryCalls.url).host));
    const url = await startIngest(callsOfIngest.host, bigqueryUrl);
    const ledger = new Ledger(bigQueryClient({ project: PROJECT, endpoint: bigqueryUrl }), DATASET, url);
    parts = { callsOfIngest, callsOfPipeline, pubsubNetwork, bigqueryCalls, bigqueryNetwork, ledger, url };
    watch = setInterval(() => {
      for (const pid of workerPids()) workerPeakMiB = Math.max(workerPeakMiB, processUsage(pid)?.peakRssMiB ?? 0);
    }, 500);
    await startPipeline();
  });

  after(async function () {
    this.timeout(120_000);
    clearInterval(watch);
    await stopPipeline();
    for (const stop of stops) await stop();
    rmSync(directory, { recursive: true, force: true });
  });

  // A test that fails must not leave its fault to the next one.
  afterEach(async () => {
    const { callsOfIngest, callsOfPipeline, bigqueryCalls, pubsubNetwork, bigqueryNetwork } = parts;
    for (const { faults } of [callsOfIngest, callsOfPipeline, bigqueryCalls]) faults.set();
    callsOfIngest.keepsMessage = undefined;
    for (const network of [pubsubNetwork, bigqueryNetwork]) {
      network.setConditions({});
      await network.restore();
    }
  });

  return {
    get callsOfIngest() {
      return parts.callsOfIngest;
    },
    get callsOfPipeline() {
      return parts.callsOfPipeline;
    },
    get pubsubNetwork() {
      return parts.pubsubNetwork;
    },
    get bigqueryCalls() {
      return parts.bigqueryCalls;
    },
    get bigqueryNetwork() {
      return parts.bigqueryNetwork;
    },
    get ledger() {
      return parts.ledger;
    },
    get url() {
      return parts.url;
    },
    get pubsubEmulatorPid() {
      return stack.pids()["Pub/Sub emulator"] as number;
    },
    get pubsubHost() {
      return stack.environment.PUBSUB_EMULATOR_HOST;
    },
    get workerPeakMiB() {
      return workerPeakMiB;
    },
    get run() {
      return run;
    },
    stateDir,
    workerPids,
    traffic: (options) => [...generateTraffic({ ...TRAFFIC, seed: seed++, now: Date.now(), ...options })],
    async send(events, options) {
      await sendBatches(parts.url, events, {
        ...options,
        onAnswer(answer, batch) {
          if (answer.accepted !== batch.length) throw new Error(`An event was rejected: ${JSON.stringify(answer)}`);
          parts.ledger.add(batch);
          options?.onAnswer?.(answer, batch);
        },
      });
    },
    startPipeline,
    stopPipeline,
    async settle(timeoutMs) {
      const settled = await parts.ledger.settle(timeoutMs).catch((error: unknown) => {
        const log = run?.logTail(15) ?? "";
        throw new Error(`${String(error)}\nThe end of the log of run:\n${log}`, { cause: error });
      });
      printFigures(
        `exact after ${(settled.ms / 1000).toFixed(1)} s; ${parts.ledger.events} events, ` +
          `${settled.rowsPerEvent.toFixed(2)} rows each; worker at most ${workerPeakMiB} MiB`,
      );
      return settled;
    },
  };
}

/** Waits until a worker other than these runs. @returns its id */
export function newWorker(rig: PipelineRig, old: readonly number[], timeoutMs: number): Promise<number> {
  return waitUntil("a new worker", () => rig.workerPids().find((pid) => !old.includes(pid)), { timeoutMs });
}
