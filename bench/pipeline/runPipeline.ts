import type { FlinkRun } from "@eventlogger/beam";
import { runFigures, type RunFigures } from "../figures";
import type { Cleanup } from "../runBenchmark";
import { BenchPipeline, type PipelineSettings } from "./benchPipeline";
import type { MessageOrigin } from "./io";

export interface PipelineRun extends PipelineSettings {
  readonly name: string;
  readonly origin: MessageOrigin;
  readonly events: number;
  /** The totals that must come out, of `totalsText`. */
  readonly expected: string;
  /** A run whose totals are not exact after this time fails, ms. */
  readonly limitMs: number;
  /** Called when the first event was read, and when the totals are exact, before anything is stopped. */
  readonly onStarted?: (run: FlinkRun) => Promise<void>;
  readonly onExact?: (run: FlinkRun) => Promise<void>;
}

/**
 * Runs the pipeline on Flink from a fast source to counting sinks, until its totals equal the expected ones.
 * @param directory for logs, checkpoints and the totals
 */
export async function runPipeline(run: PipelineRun, cleanup: Cleanup, directory: string): Promise<RunFigures> {
  const { name, events, expected } = run;
  const bench = await BenchPipeline.start(run.origin, run, cleanup, directory);
  const { flink, meter } = bench;
  const deadline = performance.now() + run.limitMs;
  const left = (): number => Math.max(0, deadline - performance.now());
  await bench.until("the first event", () => bench.hasStarted, left());
  meter.start();
  const startedAt = performance.now();
  run.onProgress?.("  the first event is read");
  await run.onStarted?.(flink);
  let readAt = NaN;
  const problems: string[] = [];
  const check = (): boolean => {
    if (Number.isNaN(readAt) && bench.isRead) readAt = performance.now();
    return !Number.isNaN(readAt) && bench.totals === expected;
  };
  let isExact = true;
  try {
    await bench.until("exact totals", check, left());
  } catch (error) {
    cleanup.signal.throwIfAborted();
    isExact = false;
    problems.push(`${error instanceof Error ? error.message : String(error)}; totals: ${bench.totals}`);
  }
  const exactAt = performance.now();
  problems.push(...bench.problems(events));
  const figures = runFigures({ name, events, isExact, problems }, meter, { startedAt, readAt, exactAt });
  await run.onExact?.(flink);
  await bench.stop();
  return figures;
}
