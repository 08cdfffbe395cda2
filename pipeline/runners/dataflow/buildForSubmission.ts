import "@eventlogger/beam/sdk";
import { Pipeline } from "apache-beam/proto/beam_runner_api";
import { buildDataflowPipeline, type DataflowPipelineOptions } from "./pipeline";
import type { Step } from "./update/step";
import { stepsOf } from "./update/steps";

/** A pipeline that can be submitted. */
export interface BuiltPipeline {
  /** The proto, encoded. */
  readonly proto: Uint8Array;
  /** Modules that a worker loads before it is given work. */
  readonly nodeModules: readonly string[];
  readonly steps: readonly Step[];
}

/** As `buildDataflowPipeline`, encoded and with its steps. */
export async function buildForSubmission(
  options: DataflowPipelineOptions,
  onProgress: (line: string) => void,
): Promise<BuiltPipeline> {
  const { pipeline, nodeModules } = await buildDataflowPipeline(options, onProgress);
  const proto = Pipeline.toBinary(pipeline);
  return { proto, nodeModules, steps: stepsOf(proto) };
}
