import { traceModules } from "@eventlogger/tools/images/modules";
import { readWorkspaces } from "@eventlogger/tools/images/workspaces";
import { compiledFile, isUnitTest, moduleName } from "./testFiles";

/** What tests may need besides npm packages; {@link setUp} installs it. */
export type SetUpStep =
  | "emulator programs"
  | "BigQuery emulator"
  | "Flink job server"
  | "expansion service"
  | "Dataflow submitter"
  | "boot program"
  | "kustomize"
  | "nginx"
  | "Prometheus"
  | "Chromium"
  | "Segment's Go library"
  | "Segment's Python library"
  | "Segment's Java library";

/** A test that imports one of these files, directly or not, needs the step. */
const STEP_OF_SOURCE: Readonly<Record<string, SetUpStep>> = {
  "packages/gcp/emulators/pubsubEmulatorJar.ts": "emulator programs",
  "packages/gcp/emulators/python/environment.ts": "BigQuery emulator",
  "packages/beam/flink/classpath.ts": "Flink job server",
  "packages/beam/expansion/classpath.ts": "expansion service",
  "pipeline/runners/dataflow/submitter/environment.ts": "Dataflow submitter",
  "tools/images/bootProgram.ts": "boot program",
  "test/deploy/testing/kustomize.ts": "kustomize",
  "nginx/findNginx.ts": "nginx",
  "test/client/testing/chromium.ts": "Chromium",
  "test/monitoring/testing/programs.ts": "Prometheus",
  "test/segment/testing/goLibrary.ts": "Segment's Go library",
  "test/segment/testing/pythonLibrary.ts": "Segment's Python library",
  "test/segment/testing/javaLibrary.ts": "Segment's Java library",
};

const WHOLE_STACK = ["emulator programs", "BigQuery emulator", "Flink job server", "nginx"] as const;

/**
 * The files that run a program of this repository in a process of its own. Imports do not show what such a program needs
 * besides what its caller imports, so it is declared here.
 */
export const STEPS_OF_PROGRAMS: Readonly<Record<string, readonly SetUpStep[]>> = {
  "local/up.component.test.ts": WHOLE_STACK,
  "local/stack/stack.ts": WHOLE_STACK,
  "test/e2e/exactness.e2e.test.ts": WHOLE_STACK,
  "test/e2e/rebuild.e2e.test.ts": WHOLE_STACK,
  // It runs a test on Flink with other versions of Node.
  "packages/beam/nodeVersions.component.test.ts": ["emulator programs", "Flink job server"],
  // They use tarballs of the packages; what these need is among the imports.
  "packages/beam/example.component.test.ts": [],
  "test/packages/tarballs.component.test.ts": [],
  // It starts the expansion service, whose class path it imports.
  "packages/beam/expansion/expansion.component.test.ts": [],
  // It starts workers of Beam, which need Node only.
  "packages/beam/worker/pool.ts": [],
  "bench/pipeline/stop.component.test.ts": ["Flink job server"],
  // It compiles and runs a small repository of its own.
  "tools/bootstrap.component.test.ts": [],
  "packages/gcp/emulators/emulator.component.test.ts": ["emulator programs", "BigQuery emulator"],
  "pipeline/cli/replay.component.test.ts": ["emulator programs", "BigQuery emulator", "Flink job server"],
  "pipeline/snapshot/restoredRun.component.test.ts": ["emulator programs", "BigQuery emulator", "Flink job server"],
  "test/rebuild/rebuildProcess.ts": ["emulator programs", "BigQuery emulator", "Flink job server"],
  // It needs the BigQuery emulator, which it imports.
  "pipeline/cli/report.component.test.ts": [],
  "pipeline/cli/run.component.test.ts": ["emulator programs", "BigQuery emulator", "Flink job server"],
  // `run` needs Flink, and `launch` the expansion service and the submitter. The tests that run these import them, too.
  "pipeline/cli/testing/eventlogger.ts": [],
  // It needs the emulators, which its callers start.
  "ingest/testing/fixture.ts": [],
  "ingest/testing/readReplica.ts": [],
  // What they run besides the stack needs Flink, whose class path the rig imports.
  "test/faults/rig/pipelineRig.ts": [],
  "test/cluster/clusterRig.ts": [],
  "test/tier/followReplicas.component.test.ts": ["nginx"],
  "test/tier/nginx.component.test.ts": ["nginx"],
  "test/images/ingestContents.component.test.ts": [],
  // What the command line in the image needs is among the imports.
  "test/images/pipelineContents.component.test.ts": [],
  // It names the program in the image, and starts nothing.
  "test/deploy/testing/scheduledCommand.ts": [],
  // It names the script for browsers, and starts nothing.
  "ingest/http/routePattern.ts": [],
  "test/images/nginxContents.component.test.ts": ["nginx"],
};

/**
 * The steps that test files need, by what they import and what they run.
 * @param root the folder of the workspaces, compiled
 * @param files source files of tests, relative to the root
 */
export function neededSteps(root: string, files: readonly string[]): ReadonlySet<SetUpStep> {
  const workspaces = readWorkspaces(root);
  const entries = files.filter((file) => !isUnitTest(file)).map((file) => moduleName(workspaces, file));
  const imported = new Set(traceModules(root, workspaces, entries).files);
  const isImported = (source: string): boolean => imported.has(compiledFile(workspaces, source));
  const steps = new Set<SetUpStep>();
  for (const [source, step] of Object.entries(STEP_OF_SOURCE)) if (isImported(source)) steps.add(step);
  for (const [source, needed] of Object.entries(STEPS_OF_PROGRAMS)) {
    if (isImported(source)) for (const step of needed) steps.add(step);
  }
  return steps;
}

/** The source files that the tables above name. */
export const DECLARED_SOURCES: readonly string[] = [...Object.keys(STEP_OF_SOURCE), ...Object.keys(STEPS_OF_PROGRAMS)];
