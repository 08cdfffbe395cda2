import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { isRunning, type Generation, type GenerationJob } from "@eventlogger/gcp/bigquery/generations";
import { waitUntil } from "@eventlogger/process/wait";
import { deadLetterFolder } from "../../deadLetters/deadLetterFiles";
import { PROGRESS_FILE } from "../../monitoring/progressFile";
import { CHECK_LEASE_FILE, stateDirectoryOf } from "../../runners/flink/generationDirectory";
import { StateDirectory, StateDirectoryInUseError } from "../../runners/flink/stateDirectory";
import { pause } from "../context";
import type { PipelineStatus, PublishedUntil, RebuildDriver } from "../driver";
import { RunChild } from "./runChild";

/** Time that a pipeline has to stop, ms; more than `run` needs. */
const STOP_GRACE_MS = 30_000;
/** How long the pipeline of a killed rebuild may hold its state directory; ms. */
const LOCK_TIMEOUT_MS = 60_000;
const POLL_MS = 1000;

/** Folder with the copies of dead letters. */
const DEAD_LETTERS = path.basename(deadLetterFolder(""));

/** What a run creates in its state directory. The copies of dead letters and the logs of the first generation stay. */
const STATE_ENTRIES = /^(checkpoints|work|current(-.+)?\.json|settings\.json|leases\.json|progress\.json|check-lease)$/;

export interface FlinkDriverOptions {
  /** `--state-dir`: that of generation 1, with those of the others in it. */
  readonly stateDir: string;
  /** The command line of `eventlogger` that runs a generation, beginning with `run`. */
  readonly runArguments: (generation: Generation) => readonly string[];
  /** Reads the row of a generation. */
  readonly read: (generation: number) => Promise<Generation | undefined>;
  readonly recordJob: (generation: number, job: GenerationJob) => Promise<void>;
}

/** The pipelines of a rebuild on Flink: that of the new generation is a child process of the command, on the same machine. */
export class FlinkDriver implements RebuildDriver {
  readonly runner = "flink";
  private child: RunChild | undefined;

  constructor(private readonly options: FlinkDriverOptions) {}

  async check(): Promise<void> {
    // The child checks everything itself, and its log is in the message of an error.
  }

  async start(generation: Generation, signal: AbortSignal): Promise<void> {
    const directory = this.directoryOf(generation);
    const { generation: id } = generation;
    await this.options.recordJob(id, { runner: "flink", stateDirectory: directory, host: hostname() });
    await untilUnlocked(directory, signal);
    const log = path.join(directory, "logs", "run.log");
    this.child = RunChild.start(id, this.options.runArguments(generation), log);
  }

  async observe(generation: Generation): Promise<PipelineStatus> {
    const publishedUntil = readPublishedUntil(path.join(this.directoryOf(generation), PROGRESS_FILE));
    const { child } = this;
    if (child?.generation === generation.generation) {
      if (child.isReady) return { state: "running", detail: undefined, publishedUntil };
      const detail = child.describe();
      return { state: child.isRunning ? "starting" : "failed", detail, publishedUntil };
    }
    const row = await this.options.read(generation.generation);
    // A generation that is being built is computed by a child only. The child of a process that was killed may still hold the lease.
    const isChildless = row?.status === "building" && row.rebuild !== null;
    const runs = row !== undefined && !isChildless && isRunning(row);
    return { state: runs ? "running" : "absent", detail: runs ? row.lease?.holder : undefined, publishedUntil };
  }

  async stop(): Promise<void> {
    await this.child?.stop(STOP_GRACE_MS);
    this.child = undefined;
  }

  async handOver(previous: Generation): Promise<void> {
    // First, so that the run of the previous generation finds the state directory of the new one free.
    await this.stop();
    this.askToCheckLease(previous);
  }

  async end(generation: Generation, signal: AbortSignal): Promise<void> {
    for (;;) {
      const row = await this.options.read(generation.generation);
      if (!row || !isRunning(row)) return;
      this.askToCheckLease(generation);
      await pause(POLL_MS, signal);
    }
  }

  async removeState(generation: Generation): Promise<void> {
    const directory = this.directoryOf(generation);
    if (!existsSync(directory)) return;
    await untilUnlocked(directory, AbortSignal.timeout(LOCK_TIMEOUT_MS));
    const isFirst = directory === path.resolve(this.options.stateDir);
    // The directory of the first generation contains those of the others. Copies of dead letters always stay.
    const names = readdirSync(directory);
    const removed = names.filter((name) => (isFirst ? STATE_ENTRIES.test(name) : name !== DEAD_LETTERS));
    for (const name of removed) rmSync(path.join(directory, name), { recursive: true, force: true });
    if (!isFirst && readdirSync(directory).length === 0) rmdirSync(directory);
  }

  advice(
    active: Generation,
    { keepOld, takeOver }: { readonly keepOld: boolean; readonly takeOver: boolean },
  ): readonly string[] {
    if (keepOld) {
      return [
        `Start its pipeline: \`eventlogger run --generation ${active.generation}\` with the same options. The previous generation is ` +
          "computed further by its own run",
      ];
    }
    if (takeOver) return ["Start its pipeline: `eventlogger run` with the same options"];
    return ["`eventlogger run` goes on with it"];
  }

  async close(): Promise<void> {
    await this.stop();
  }

  private directoryOf({ generation }: Generation): string {
    return path.resolve(stateDirectoryOf(this.options.stateDir, generation));
  }

  /** The run looks at its lease when this file exists, and so notices at once that its generation is retired. */
  private askToCheckLease(generation: Generation): void {
    const directory = this.directoryOf(generation);
    if (existsSync(directory)) writeFileSync(path.join(directory, CHECK_LEASE_FILE), "");
  }
}

/** Waits until no run uses a state directory, and stops the processes that a killed one has left. */
async function untilUnlocked(directory: string, signal: AbortSignal): Promise<void> {
  await waitUntil(
    `the end of the run that uses ${directory}`,
    async () => {
      try {
        (await StateDirectory.open(directory)).close();
        return true;
      } catch (error) {
        if (error instanceof StateDirectoryInUseError) return false;
        throw error;
      }
    },
    { timeoutMs: LOCK_TIMEOUT_MS, intervalMs: POLL_MS, signal },
  );
}

/** What a run has written about its subscriptions. A file that is missing or half written says nothing. */
export function readPublishedUntil(file: string): PublishedUntil {
  try {
    const { publishedUntil } = JSON.parse(readFileSync(file, "utf8")) as {
      publishedUntil?: { live?: string | null; replay?: string | null };
    };
    return { live: epochMs(publishedUntil?.live), replay: epochMs(publishedUntil?.replay) };
  } catch {
    return { live: undefined, replay: undefined };
  }
}

function epochMs(text: string | null | undefined): number | undefined {
  const ms = Date.parse(text ?? "");
  return Number.isNaN(ms) ? undefined : ms;
}
