import type { RunFigures } from "../figures";
import type { Cleanup } from "../runBenchmark";

/** The traffic of one run. */
export interface Traffic {
  /** File of messageFile.ts. */
  readonly messages: string;
  readonly events: number;
  /** The totals that must come out, of `totalsText`; also in a file. */
  readonly expected: string;
  readonly expectedFile: string;
}

/** Settings that all programs share. */
export interface Conditions {
  /** Heap limit of each JVM, as for `-Xmx`. */
  readonly heap: string;
  /** A run whose totals are not exact after this time fails, ms. */
  readonly limitMs: number;
  /** Interval of early firings of session windows, ms. */
  readonly earlyMs: number;
  readonly beamVersion: BeamVersion;
  readonly onProgress: (line: string) => void;
}

/** Versions of Beam for the Java program and the job server of the Python program. */
export const BEAM_VERSIONS = ["2.49", "2.70"] as const;
export type BeamVersion = (typeof BEAM_VERSIONS)[number];

/** A program that computes the rollups. */
export interface Contender {
  readonly name: ContenderName;
  readonly describe: string;
  /** Downloads and builds what is missing. */
  prepare(conditions: Conditions): Promise<void>;
  /** @param directory a new folder for logs and checkpoints */
  run(traffic: Traffic, conditions: Conditions, cleanup: Cleanup, directory: string): Promise<RunFigures>;
}

export const CONTENDER_NAMES = [
  "product",
  "java",
  "product-rocksdb",
  "product-windows",
  "java-windows",
  "python",
  "python-windows",
] as const;
export type ContenderName = (typeof CONTENDER_NAMES)[number];
