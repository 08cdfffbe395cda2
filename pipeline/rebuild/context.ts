import { setTimeout as delay } from "node:timers/promises";
import type { Generation } from "@eventlogger/gcp/bigquery/generations";
import { UserError } from "@eventlogger/process/main";
import type { PipelineStatus } from "./driver";
import type { RebuildPhase } from "./record";
import type { RebuildResources, RebuildServices, RebuildTimes } from "./services";
import type { RebuildSession } from "./session";

/** Gets what a rebuild does. */
export interface RebuildReporter {
  /** A phase begins. */
  phase(phase: RebuildPhase | "aborting"): void;
  /** One line that stays. */
  say(line: string): void;
  /** What is awaited or done at the moment. */
  doing(text: string): void;
  /** Rows that were replayed, of those known. */
  rows(done: number, total: number): void;
}

/** What the phases of a rebuild work with. */
export interface RebuildContext {
  readonly services: RebuildServices;
  readonly session: RebuildSession;
  readonly times: RebuildTimes;
  readonly report: RebuildReporter;
  /** Ends the work: a person has stopped the command, or another process has taken the rebuild over. */
  readonly signal: AbortSignal;
}

/** Waits. @throws the reason of the signal */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  try {
    await delay(ms, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}

/** The generation that was active when the rebuild began. */
export async function previousGeneration({ services, session }: RebuildContext): Promise<Generation> {
  const { previous } = session.record;
  const found = (await services.store.list()).find(({ generation }) => generation === previous);
  if (!found) throw new Error(`Generation ${previous}, which was active when the rebuild began, does not exist`);
  return found;
}

/** The live subscription of a generation; one whose row does not name it reads that of its id. */
export function liveSubscriptionOf(resources: RebuildResources, { generation, subscription }: Generation): string {
  const name = subscription ?? resources.names(generation, null).subscription;
  if (name === null) throw new Error(`The subscription of generation ${generation} is unknown`);
  return name;
}

/** A pipeline makes no progress. The message tells which, and what to do; the same command then goes on. */
export class NoProgressError extends UserError {
  constructor(message: string) {
    super(`${message}. The same command then goes on`);
    this.name = "NoProgressError";
  }
}

/** Starts of a pipeline that ends by itself during one wait. */
const MAX_RESTARTS = 3;

/**
 * Observes a pipeline until a condition holds.
 * @param key what must change for progress; the wait ends with an error when it does not for `limitMs`
 * @throws NoProgressError
 */
export async function untilPipeline(
  { services, times, report, signal }: RebuildContext,
  generation: Generation,
  {
    isDone,
    key,
    limitMs,
    problem,
    doing,
    restart,
  }: {
    readonly isDone: (status: PipelineStatus) => boolean;
    readonly key: (status: PipelineStatus) => unknown;
    readonly limitMs: number;
    readonly problem: (status: PipelineStatus) => string;
    readonly doing: (status: PipelineStatus) => string;
    /** Called when the pipeline does not run. */
    readonly restart?: () => Promise<void>;
  },
): Promise<PipelineStatus> {
  let last: unknown;
  let since = performance.now();
  let restarts = 0;
  for (;;) {
    signal.throwIfAborted();
    const status = await services.driver.observe(generation);
    if (isDone(status)) return status;
    if (restart && (status.state === "failed" || status.state === "absent")) {
      if (++restarts > MAX_RESTARTS) throw new NoProgressError(problem(status));
      await restart();
      continue;
    }
    const now = JSON.stringify(key(status));
    if (now !== last) [last, since] = [now, performance.now()];
    if (performance.now() - since > limitMs) throw new NoProgressError(problem(status));
    report.doing(doing(status));
    await pause(times.pollMs, signal);
  }
}

/** Starts the pipeline of the new generation unless it runs, also when it has died meanwhile. */
export async function ensureStarted({ services, session, signal, report }: RebuildContext): Promise<void> {
  const { state, detail } = await services.driver.observe(session.generation);
  if (state === "running" || state === "starting") return;
  if (state === "failed")
    report.say(`the pipeline of generation ${session.generation.generation} ended: ${detail ?? "no reason known"}`);
  await services.driver.start(session.generation, signal);
  await session.reload();
}
