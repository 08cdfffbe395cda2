import { ensureExpansionClasspath } from "@eventlogger/beam/expansion/classpath";
import { ensureFlinkClasspath } from "@eventlogger/beam/flink/classpath";
import { ensurePythonEnvironment } from "@eventlogger/gcp/emulators/python/environment";
import { checkPrerequisites } from "@eventlogger/gcp/emulators/prerequisites";
import type { OnProgress, Progress } from "@eventlogger/options/progress";
import { ensureSubmitter } from "@eventlogger/pipeline/runners/dataflow/submitter/environment";
import { cacheDir } from "@eventlogger/process/packageRoot";
import { ensureBootProgram } from "@eventlogger/tools/images/bootProgram";
import { ensureChromium } from "../client/testing/chromium";
import { ensureKustomize } from "../deploy/testing/kustomize";
import { ensureGoLibrary } from "../segment/testing/goLibrary";
import { ensureJavaLibrary } from "../segment/testing/javaLibrary";
import { ensurePrometheus } from "../monitoring/testing/programs";
import { ensurePythonLibrary } from "../segment/testing/pythonLibrary";
import { ensureNginx } from "../setup/installNginx";
import type { SetUpStep } from "./setUpSteps";

type Install = (onProgress: OnProgress, print: (line: string) => void) => unknown;

/**
 * What runs at the same time: downloads of different sources. Steps of one group follow each other, because pip, Maven and
 * apt-get use all of a connection or hold a lock.
 */
const GROUPS: readonly (readonly (readonly [SetUpStep, Install])[])[] = [
  [
    ["BigQuery emulator", (line) => ensurePythonEnvironment(() => line("installing with pip (about a minute)"), line)],
    ["Dataflow submitter", (line) => ensureSubmitter(() => line("installing with pip (500 MB, about a minute)"), line)],
    ["Segment's Python library", ensurePythonLibrary],
  ],
  [
    ["Flink job server", (onProgress) => ensureFlinkClasspath({ cacheDir, onProgress })],
    ["expansion service", (onProgress) => ensureExpansionClasspath({ cacheDir, onProgress })],
    ["Segment's Java library", ensureJavaLibrary],
  ],
  [
    ["boot program", (onProgress) => ensureBootProgram(onProgress)],
    ["kustomize", ensureKustomize],
    ["Segment's Go library", ensureGoLibrary],
  ],
  [
    ["nginx", ensureNginx],
    ["Prometheus", ensurePrometheus],
    ["Chromium", ensureChromium],
  ],
];

const NEED_PROGRAMS: readonly SetUpStep[] = [
  "emulator programs",
  "BigQuery emulator",
  "Flink job server",
  "expansion service",
  "Dataflow submitter",
  "Segment's Python library",
  "Segment's Java library",
];

/**
 * Installs what tests need and what is missing, and prints the progress.
 * @throws MissingPrerequisitesError; Error with the end of the output of pip, Maven or Go
 */
export async function setUp(steps: ReadonlySet<SetUpStep>, progress: Progress): Promise<void> {
  if (NEED_PROGRAMS.some((step) => steps.has(step))) {
    await progress.step("Java, Python, Maven, Pub/Sub emulator", () => checkPrerequisites());
  }
  const results = await Promise.allSettled(
    GROUPS.map(async (group) => {
      for (const [name, install] of group) {
        if (!steps.has(name)) continue;
        await progress.step(name, (onProgress) => install(onProgress, (line) => progress.print(line)));
      }
    }),
  );
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
