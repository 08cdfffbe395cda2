import type { OptionSpecs } from "@eventlogger/options/options";

/** Options of the benchmarks that run the pipeline on embedded Flink. */
export const flinkOptions = {
  heap: { type: "string", describe: "Heap limit of the JVM.", default: "3g" },
  stateBackend: {
    type: "enum",
    describe: "Where Flink keeps state: rocksdb or heap.",
    choices: ["rocksdb", "heap"],
    default: "rocksdb",
  },
  rocksdbMemory: { type: "string", describe: "Memory of RocksDB.", default: "512m" },
} as const satisfies OptionSpecs;
