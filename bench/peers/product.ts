import type { SessionWindows } from "@eventlogger/pipeline/eventPipeline";
import { ensureFlinkClasspath, type StateBackend } from "@eventlogger/beam";
import { cacheDir } from "@eventlogger/process/packageRoot";
import { runPipeline } from "../pipeline/runPipeline";
import type { Contender, ContenderName } from "./contender";

const SOURCE_CHECKPOINT_MS = 1000;
/** The default of `run`. */
const ROCKSDB_MEMORY = "512m";

/** The pipeline of this repository on embedded Flink. */
export function productContender(
  name: ContenderName,
  sessionWindows: SessionWindows,
  stateBackend: StateBackend = "heap",
): Contender {
  return {
    name,
    describe: `this repository's pipeline on embedded Flink, --session-windows ${sessionWindows}, state in ${stateBackend}`,
    prepare: async ({ onProgress }) => void (await ensureFlinkClasspath({ cacheDir, onProgress })),
    run: ({ messages, events, expected }, conditions, cleanup, directory) =>
      runPipeline(
        {
          name,
          events,
          expected,
          origin: { kind: "file", file: messages },
          heap: conditions.heap,
          stateBackend,
          rocksdbMemory: ROCKSDB_MEMORY,
          earlyMs: conditions.earlyMs,
          sourceCheckpointMs: SOURCE_CHECKPOINT_MS,
          limitMs: conditions.limitMs,
          sessionWindows,
          onProgress: conditions.onProgress,
        },
        cleanup,
        directory,
      ),
  };
}
