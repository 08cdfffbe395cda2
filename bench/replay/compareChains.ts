import path from "node:path";
import { UserError } from "@eventlogger/process/main";
import type { StateBackend } from "@eventlogger/beam";
import { syntheticEvents } from "@eventlogger/traffic/load/syntheticMessages";
import { runTable, type RunFigures } from "../figures";
import { runPipeline } from "../pipeline/runPipeline";
import { median } from "../report";
import type { Cleanup } from "../runBenchmark";
import { expectedTotals, totalsText } from "../traffic/expectedTotals";
import { trafficOf } from "../traffic/profiles";

export interface ChainOptions {
  readonly count: number;
  readonly rounds: number;
  readonly users: number;
  readonly heap: string;
  readonly stateBackend: StateBackend;
  readonly rocksdbMemory: string;
}

/** Time after which a run whose numbers are not exact fails, ms. */
const LIMIT_MS = 600_000;

/** Runs the pipeline with live messages and with messages of a replay of the same events, in turn, and prints both speeds. */
export async function compareChains(options: ChainOptions, cleanup: Cleanup): Promise<void> {
  const { count, rounds, users, heap, stateBackend, rocksdbMemory } = options;
  const traffic = trafficOf("realistic", count, users, Date.now());
  const expected = totalsText(expectedTotals(syntheticEvents(traffic)));
  const kinds = { live: "generated", replay: "replay" } as const;
  const runs: Record<keyof typeof kinds, RunFigures[]> = { live: [], replay: [] };
  for (let round = 0; round < rounds; round++) {
    for (const name of ["live", "replay"] as const) {
      console.log(`${name}: ${count} events`);
      const figures = await runPipeline(
        {
          name,
          origin: { kind: kinds[name], traffic },
          events: count,
          expected,
          ...{ heap, stateBackend, rocksdbMemory },
          earlyMs: 10_000,
          sourceCheckpointMs: 1000,
          limitMs: LIMIT_MS,
          sessionWindows: "state",
          onProgress: console.log,
        },
        cleanup,
        path.join(cleanup.directory, `${name}-${round}`),
      );
      for (const problem of figures.problems) console.log(`  problem: ${problem}`);
      runs[name].push(figures);
    }
  }
  const speed = (of: readonly RunFigures[]): number => median(of.map(({ eventsPerSecond }) => eventsPerSecond));
  console.log(`\n${runTable([...runs.live, ...runs.replay])}`);
  console.log(
    `\na replay runs at ${Math.round((100 * speed(runs.replay)) / speed(runs.live))} % of the speed of live events`,
  );
  if ([...runs.live, ...runs.replay].some(({ isExact }) => !isExact)) {
    throw new UserError("The numbers of a run were not exact");
  }
}
