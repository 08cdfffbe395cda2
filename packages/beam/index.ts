/**
 * A runtime for Apache Beam pipelines in TypeScript: patches of the SDK, keyed state, splittable DoFns, triggers, a test
 * stream, a Flink runner, rows and transforms of other languages.
 */
import "./sdk";

export { SDK_VERSION, UnsupportedSdkVersionError } from "./version";
export { SharedPackageError } from "./sharedPackages";
export { moduleName, registerModule } from "./registerModule";
export { bundleParDo, type BundleDoFn, type Emit, type EmitTimestamped } from "./bundleParDo";
export { applyAsync, pipe, type AnyPTransform } from "./pipe";
export { jsonCoder, stringCoder, textKvCoder, withKvCoder } from "./coders";
export { statefulParDo, stateStats, type CellsOf, type StatefulDoFn } from "./state/statefulParDo";
export { WeighedMap } from "./state/weighedMap";
export { bagState, foldedState, valueState } from "./state/cells";
export type { BagCell, Fold, FoldedCell, StateDeclaration, ValueCell } from "./state/cells";
export { splittableParDo, type ProcessContext, type Residual, type SplittableDoFn } from "./splittable/splittableParDo";
export { count, gaugeFrom, reportFailure, type Failure } from "./worker/counters";
export { counter, distribution, gauge, type Counter, type Distribution, type Gauge } from "./metrics/userMetrics";
export { countApiRequest, type ApiRequest } from "./metrics/processMetrics";
export { beforeFinalize, onWorkerGone, workerStats } from "./patches/control";
export * from "./windowing/triggers";
export { sessionWindows, windowingStrategy, type WindowingOptions } from "./windowing/strategy";
export { END_OF_TIME_MS, testStream, type TestStreamEvent } from "./testStream";
export { buildPipeline, JobFailedError, replaceDefaultEnvironment, runJob, type Job, type JobOptionValue } from "./job";
export type { FlinkJobOptions } from "./flink/job";
export { ClasspathError } from "./java/mavenBuild";
export { ensureFlinkClasspath } from "./flink/classpath";
export { completeCheckpoints, newestCheckpoint, type Checkpoint } from "./flink/checkpoints";
export {
  CheckpointRecordError,
  checkpointToRestore,
  DamagedCheckpointError,
  readCheckpointRecord,
  replaceFile,
  restorePointOf,
  runDirectory,
  writeCheckpointRecord,
  type CheckpointRecord,
  type CheckpointRecorderOptions,
  type RestorePoint,
} from "./flink/checkpointRecord";
export { runOnFlink, type FlinkRun, type FlinkRunnerOptions } from "./flink/runner";
export { ensureExpansionClasspath } from "./expansion/classpath";
export { startExpansionService, type ExpansionService, type ExpansionServiceOptions } from "./expansion/service";
export { schemaTransform, type Collections } from "./expansion/schemaTransform";
export * from "./rows/schema";
