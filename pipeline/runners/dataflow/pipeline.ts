import "@eventlogger/beam/sdk";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { asDockerEnvironment } from "apache-beam/internal/environments";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { getRegisteredModules } from "apache-beam/serialization";
import { cacheDir } from "@eventlogger/process/packageRoot";
import {
  buildPipeline,
  ensureExpansionClasspath,
  replaceDefaultEnvironment,
  startExpansionService,
} from "@eventlogger/beam";
import { eventPipeline, type EventPipelineOptions } from "../../eventPipeline";
import { dataflowIo, type DataflowIoOptions } from "./io";

export interface DataflowPipelineOptions extends EventPipelineOptions, DataflowIoOptions {
  /** Container image of the TypeScript workers, with registry and tag. */
  readonly workerImage: string;
}

export interface DataflowPipeline {
  readonly pipeline: runnerApi.Pipeline;
  /** Modules that a worker loads at its start. */
  readonly nodeModules: readonly string[];
}

/**
 * Builds the event pipeline with the sources and sinks for Dataflow. Starts a Java expansion service for the time of the
 * build (about ten seconds; the first time, Maven builds it). Calls no cloud service.
 *
 * @param onProgress called with each line of progress
 * @throws ClasspathError when Maven fails; Error with the message of the expansion service
 */
export async function buildDataflowPipeline(
  options: DataflowPipelineOptions,
  onProgress: (line: string) => void,
): Promise<DataflowPipeline> {
  const classpath = await ensureExpansionClasspath({ cacheDir, onProgress });
  onProgress("starting the Java expansion service");
  const logDir = mkdtempSync(path.join(tmpdir(), "eventlogger-expansion-"));
  try {
    const service = await startExpansionService({
      classpath,
      logFile: path.join(logDir, "expansion.log"),
      args: [`--project=${options.project}`],
    });
    try {
      onProgress("expanding the Pub/Sub source and the BigQuery sinks");
      const pipeline = await buildPipeline(
        eventPipeline(dataflowIo(options, service.address), {
          sessionWindows: "beam",
          ...options,
          // The service may process a bundle again after it has succeeded in the worker.
          skipsCountedDays: false,
        }),
      );
      replaceDefaultEnvironment(pipeline, (environment) => asDockerEnvironment(environment, options.workerImage));
      const { transforms } = pipeline.components as runnerApi.Components;
      const kib = Math.round(runnerApi.Pipeline.toBinary(pipeline).length / 1024);
      onProgress(`built the pipeline: ${Object.keys(transforms).length} steps, ${kib} KiB`);
      return { pipeline, nodeModules: [...getRegisteredModules()] };
    } finally {
      await service.stop();
    }
  } finally {
    rmSync(logDir, { recursive: true, force: true });
  }
}
