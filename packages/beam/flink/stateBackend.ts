/**
 * Where Flink keeps the state of keys.
 * - `rocksdb`: on local disk, with caches in memory. A checkpoint writes what has changed. For state larger than memory.
 * - `heap`: in the memory of the JVM. Faster; a checkpoint writes the whole state.
 */
export type StateBackend = "rocksdb" | "heap";

/** A setting of Flink's configuration. */
export type FlinkSetting = string | number | boolean;

/**
 * For a few cores, checkpoints every few seconds, and millions of small values that are looked up by their key. The names are
 * in https://nightlies.apache.org/flink/flink-docs-release-1.19/docs/deployment/config/#rocksdb-state-backend.
 */
const ROCKSDB: Readonly<Record<string, FlinkSetting>> = {
  // RocksDB, with a remedy for a fault in jobs that are restored from a checkpoint of another job.
  "state.backend.type": "beam.typescript.RocksDbBackendFactory",
  "state.backend.incremental": true,
  // Most lookups of new keys then read no block of data. Only the parts of filters and indexes that are in use fill the cache.
  "state.backend.rocksdb.use-bloom-filter": true,
  "state.backend.rocksdb.memory.partitioned-index-filters": true,
  // A checkpoint flushes every write buffer, so large ones stay empty. Memory is reserved in eighths of a buffer for each
  // state of each step.
  "state.backend.rocksdb.writebuffer.size": "16mb",
  // Every fourth checkpoint or so, a compaction rewrites the first level, and the checkpoint uploads it. A small level keeps
  // checkpoints small when little has changed.
  "state.backend.rocksdb.compaction.level.max-size-level-base": "8mb",
  "state.backend.rocksdb.compaction.level.target-file-size-base": "8mb",
  "state.backend.rocksdb.compaction.level.use-dynamic-size": true,
  // Threads for flushes and compactions, which all steps of a process share.
  "state.backend.rocksdb.thread.num": 2,
};

const HEAP: Readonly<Record<string, FlinkSetting>> = { "state.backend.type": "hashmap" };

/** Flink's settings for a state backend. */
export function stateBackendSettings(backend: StateBackend): Readonly<Record<string, FlinkSetting>> {
  return backend === "rocksdb" ? ROCKSDB : HEAP;
}

/** Flink's settings for checkpoints in a folder. */
export function checkpointSettings(checkpointDir: string): Readonly<Record<string, FlinkSetting>> {
  return { "state.checkpoint-storage": "filesystem", "state.checkpoints.dir": fileUri(checkpointDir) };
}

/** The form of an absolute path in Flink's settings. Flink does not decode escapes. */
export function fileUri(file: string): string {
  return `file://${file}`;
}
