/** Installs what the emulators and Flink need on a machine, or in an image: `node local/dist/prepare.js`. */
import { ensureFlinkClasspath } from "@eventlogger/beam/flink/classpath";
import { pubSubEmulatorPatch } from "@eventlogger/gcp/emulators/pubsubEmulatorPatch";
import { ensurePythonEnvironment } from "@eventlogger/gcp/emulators/python/environment";
import { findPubSubEmulatorJar } from "@eventlogger/gcp/emulators/pubsubEmulatorJar";
import { Progress } from "@eventlogger/options/progress";
import { runMain } from "@eventlogger/process/main";
import { cacheDir } from "@eventlogger/process/packageRoot";

/**
 * Downloads and builds what the emulators and Flink need and what is missing; the first time this takes a minute or more.
 * @throws Error with the end of the output of pip or Maven
 */
export async function prepareLocal(progress: Pick<Progress, "step">): Promise<void> {
  const jar = await findPubSubEmulatorJar();
  await Promise.all([
    progress.step("BigQuery emulator", (onProgress) =>
      ensurePythonEnvironment(() => onProgress("installing with pip (once, about a minute)"), onProgress),
    ),
    progress.step("Flink job server", (onProgress) => ensureFlinkClasspath({ cacheDir, onProgress })),
    jar && progress.step("Pub/Sub emulator", () => pubSubEmulatorPatch(jar)),
  ]);
}

if (require.main === module) runMain(() => prepareLocal(new Progress()));
