/**
 * A runtime for Apache Beam pipelines in TypeScript: patches of the SDK, keyed state, splittable DoFns, triggers, a test
 * stream, a Flink runner, rows and transforms of other languages.
 */
import "./sdk";
import "./state/largeIterables";

export { SDK_VERSION, UnsupportedSdkVersionError } from "./version";
export { SharedPackageError } from "./sharedPackages";
export { moduleName, registerModule } from "./registerModule";
export { bundleParDo, type BundleDoFn, type Emit, type EmitTimestamped } from "./bundleParDo";
export { applyDoFn, type ApplyDoFnOptions, type DoFnOutputs } from "./dofn/applyDoFn";
export { DoFnNotSerializableError } from "./dofn/checkSerializable";
export type * from "./dofn/doFn";
export { expireState, type ExpireStateOptions, type StateExpiry } from "./dofn/expireState";
export { eventTimer, processingTimer, type Timer, type TimerDeclaration, type TimerOptions } from "./dofn/timers";
export { iterableView, mapView, multimapView, singletonView } from "./dofn/views";
export type { MapSideInput, MultimapSideInput, View } from "./dofn/views";
export { applyAsync, pipe, type AnyPTransform } from "./pipe";
export { jsonCoder, stringCoder, textKvCoder, withKvCoder } from "./coders";
export { LargeIterable } from "./coders/stateBackedIterable";
export type { ShardedKey } from "./coders/shardedKey";
export { statefulParDo, stateStats, type StatefulDoFn } from "./state/statefulParDo";
export { WeighedMap } from "./state/weighedMap";
export { bagState, foldedState, valueState } from "./state/cells";
export type { BagState, FoldedState, LazyBagState, LazyRead, ValueState } from "./state/cells";
export type { BagState as BagCell, FoldedState as FoldedCell, ValueState as ValueCell } from "./state/cells";
export type { CellsOf, Fold, StateDeclaration, StateDeclarations } from "./state/cells";
export { combiningState, type CombiningState } from "./state/combiningState";
export { mapState, setState, type MapState, type SetState } from "./state/mapState";
export { splittableParDo, type ProcessContext, type Residual, type SplittableDoFn } from "./splittable/splittableParDo";
export { count, gaugeFrom, reportFailure, type Failure } from "./worker/counters";
export { counter, distribution, gauge, type Counter, type Distribution, type Gauge } from "./metrics/userMetrics";
export { countApiRequest, type ApiRequest } from "./metrics/processMetrics";
export { beforeFinalize, onWorkerGone, workerStats } from "./patches/control";
export * from "./windowing/triggers";
export { sessionWindows, windowingStrategy, type WindowingOptions } from "./windowing/strategy";
export { END_OF_TIME_MS, testStream, type TestStreamEvent } from "./testStream";
export { buildPipeline, replaceDefaultEnvironment, runJob, type JobOptionValue } from "./job";
export { JobFailedError, type Job, type JobEnd } from "./job/handle";
export type { JobDistribution, JobMetric } from "./job/metrics";
export type { FlinkJobOptions } from "./flink/job";
export { ClasspathError } from "./java/mavenBuild";
export { ensureFlinkClasspath } from "./flink/classpath";
export { completeCheckpoints, newestCheckpoint, type Checkpoint } from "./flink/checkpoints/completeCheckpoints";
export {
  CheckpointRecordError,
  checkpointToRestore,
  DamagedCheckpointError,
  readCheckpointRecord,
  removeCheckpointRecord,
  replaceFile,
  restorePointOf,
  runDirectory,
  StateBackendMismatchError,
  writeCheckpointRecord,
  type CheckpointRecord,
  type CheckpointRecorderOptions,
  type RestorePoint,
} from "./flink/checkpoints/checkpointRecord";
export type { FlinkSetting, StateBackend } from "./flink/stateBackend";
export {
  runOnFlink,
  type ClusterOptions,
  type FlinkRun,
  type FlinkRunnerOptions,
  type RunWorkers,
} from "./flink/runner";
export { FlinkRest, FlinkRestError } from "./flink/cluster/flinkRest";
export { stopWorkersOfJob, clusterProblems } from "./flink/cluster/preflight";
export { readAccessToken } from "./accessToken";
export { startWorkerPool, type WorkerPool, type WorkerPoolOptions } from "./worker/pool";
export { ensureExpansionClasspath } from "./expansion/classpath";
export { startExpansionService, type ExpansionService, type ExpansionServiceOptions } from "./expansion/service";
export { schemaTransform, type Collections } from "./expansion/schemaTransform";
export * from "./rows/schema";
export * from "./rows/logicalTypes";
