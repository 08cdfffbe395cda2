/**
 * A program that builds the pipeline for Dataflow as `launch` does. It is a separate process because workers load the
 * modules that the building process has registered. `buildPipeline.js FILE OPTIONS-AS-JSON` writes the proto to the file
 * and the modules to standard output as JSON.
 */
import "@eventlogger/beam/sdk";
import { writeFileSync } from "node:fs";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { buildDataflowPipeline, type DataflowPipelineOptions } from "../pipeline";

const [file = "", options = ""] = process.argv.slice(2);

void (async () => {
  const built = await buildDataflowPipeline(JSON.parse(options) as DataflowPipelineOptions, (line) =>
    process.stderr.write(`${line}\n`),
  );
  writeFileSync(file, runnerApi.Pipeline.toBinary(built.pipeline));
  process.stdout.write(JSON.stringify(built.nodeModules));
})();
