/** What a machine, or an image, needs to run everything: `node local/dist/prepare.js` gets it, once. */
import { cacheDir } from "@eventlogger/process/packageRoot";
import { ensureFlinkClasspath } from "@eventlogger/beam/flink/classpath";
import { pubSubEmulatorPatch } from "@eventlogger/gcp/emulators/pubsubEmulatorPatch";
import { ensurePythonEnvironment } from "@eventlogger/gcp/emulators/python/environment";
import { findPubSubEmulatorJar } from "@eventlogger/gcp/emulators/pubsubEmulatorJar";

/** Of what Maven says while it works, only that it works. */
function firstLineOnly(say: (line: string) => void): (line: string) => void {
  let said = false;
  return (line) => {
    if (!said) say(line);
    said = true;
  };
}

/**
 * Downloads and builds what the emulators and Flink need and what is not there yet; a minute or more the first time.
 * @throws Error with the end of what pip or Maven said
 */
export async function prepareLocal(say: (line: string) => void): Promise<void> {
  const jar = await findPubSubEmulatorJar();
  await Promise.all([
    ensurePythonEnvironment(() => say("installing the BigQuery emulator (once, about a minute)")),
    ensureFlinkClasspath({ cacheDir, onProgress: firstLineOnly(say) }),
    jar && pubSubEmulatorPatch(jar),
  ]);
}

if (require.main === module) {
  void prepareLocal((line) => void process.stdout.write(`${line}\n`)).catch((error: unknown) => {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  });
}
