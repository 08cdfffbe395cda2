import "@eventlogger/beam/sdk";
import { Pipeline } from "apache-beam/proto/beam_runner_api";
import { buildDataflowPipeline, type DataflowPipelineOptions } from "./pipeline";
import type { Step } from "./update/step";
import { stepsOf } from "./update/steps";

/** A pipeline that is ready for submission. */
export interface BuiltPipeline {
  /** The encoded proto. */
  readonly proto: Uint8Array;
  /** Modules that a worker loads at its start. */
  readonly nodeModules: readonly string[];
  readonly steps: readonly Step[];
}

/** Builds the pipeline with {@link buildDataflowPipeline}, encodes it, and lists its steps. */
export async function buildForSubmission(
  options: DataflowPipelineOptions,
  onProgress: (line: string) => void,
): Promise<BuiltPipeline> {
  const { pipeline, nodeModules } = await buildDataflowPipeline(options, onProgress);
  const proto = Pipeline.toBinary(pipeline);
  return { proto, nodeModules, steps: stepsOf(proto) };
}
