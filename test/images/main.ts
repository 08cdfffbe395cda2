/** `npm run test:images`: builds the images on a Docker Engine and runs them. Takes about seven minutes. */
import { join } from "node:path";
import { Progress } from "@eventlogger/options/progress";
import { IMAGE_NAMES } from "@eventlogger/tools/images/assemble";
import { buildImage, DOCKERFILES, imageReference } from "@eventlogger/tools/images/build";
import { docker } from "@eventlogger/tools/images/docker";
import { onEngine } from "../engine/engine";
import { setUp } from "../runner/setUp";
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
  await setUp(new Set(["BigQuery emulator", "Dataflow submitter"]), new Progress());
  return runTestsOnEngine(session, join(__dirname, "images.engine.js"), { IMAGES_TAG: session.tag });
}

async function removeImages({ engine, tag }: EngineSession): Promise<void> {
  for (const image of IMAGE_NAMES) {
    await docker(["image", "rm", "--force", imageReference(image, { tag })], onEngine(engine)).catch(() => {});
  }
}

runOnEngine(Object.values(DOCKERFILES), buildAndTest, removeImages);
