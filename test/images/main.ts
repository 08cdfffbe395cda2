/** `npm run test:images`: builds the images on a Docker Engine and runs them. */
import { join } from "node:path";
import { ensureSubmitter } from "@eventlogger/pipeline/runners/dataflow/submitter/environment";
import { ensurePythonEnvironment } from "@eventlogger/gcp/emulators/python/environment";
import { IMAGE_NAMES } from "@eventlogger/tools/images/assemble";
import { buildImage, DOCKERFILES, imageReference } from "@eventlogger/tools/images/build";
import { docker } from "@eventlogger/tools/images/docker";
import { onEngine } from "../engine/engine";
import { runOnEngine, runTestsOnEngine, type EngineSession } from "../engine/runOnEngine";

async function build({ engine, tag, say }: EngineSession): Promise<void> {
  for (const image of IMAGE_NAMES) {
    const onProgress = (_image: string, line: string): void => say(`  ${line}`);
    const reference = await buildImage(image, { tag, docker: onEngine(engine), onProgress });
    const bytes = Number(await docker(["image", "inspect", "--format", "{{.Size}}", reference], onEngine(engine)));
    say(`built ${reference}: ${Math.round(bytes / 1e6)} MB`);
  }
}

async function buildAndTest(session: EngineSession): Promise<boolean> {
  await build(session);
  await ensureSubmitter(() => session.say("installing Beam for Python (once)"));
  await ensurePythonEnvironment(() => session.say("installing the BigQuery emulator (once)"));
  return runTestsOnEngine(session, join(__dirname, "images.engine.js"), { IMAGES_TAG: session.tag });
}

async function removeImages({ engine, tag }: EngineSession): Promise<void> {
  for (const image of IMAGE_NAMES) {
    await docker(["image", "rm", "--force", imageReference(image, { tag })], onEngine(engine)).catch(() => {});
  }
}

runOnEngine(Object.values(DOCKERFILES), buildAndTest, removeImages);
