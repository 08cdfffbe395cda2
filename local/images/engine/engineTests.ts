/**
 * `npm run test:images`: builds the images on a Docker Engine and runs them. Takes the engine that docker finds; without
 * one, and as root, it starts one of its own, and makes base images on the spot when they cannot be pulled. Where that is
 * not possible, it says SKIPPED and why, and ends with 0.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../../../config/packageRoot";
import { ensureSubmitter } from "../../../pipeline/runners/dataflow/submitter/environment";
import { ensurePythonEnvironment } from "../../python/environment";
import { IMAGE_NAMES } from "../assemble";
import { buildImage } from "../build";
import { docker } from "../docker";
import { ensureBaseImages } from "./baseImages";
import { CannotTestError, findOrStartEngine, onEngine, type Engine } from "./engine";

const MOCHA = join(packageRoot, "node_modules", "mocha", "bin", "mocha.js");
const REPORTER = join(packageRoot, "dist", "test", "reporter.js");

const startedAt = Date.now();

function say(line: string): void {
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(0).padStart(4);
  process.stdout.write(`${seconds} s  ${line}\n`);
}

async function build(engine: Engine, tag: string): Promise<void> {
  for (const image of IMAGE_NAMES) {
    const onProgress = (_image: string, line: string): void => say(`  ${line}`);
    const reference = await buildImage(image, { tag, docker: onEngine(engine), onProgress });
    const bytes = Number(await docker(["image", "inspect", "--format", "{{.Size}}", reference], onEngine(engine)));
    say(`built ${reference}: ${Math.round(bytes / 1e6)} MB`);
  }
}

function runTests(engine: Engine, tag: string): Promise<boolean> {
  const tests = join(__dirname, "images.engine.js");
  const child = spawn(process.execPath, [MOCHA, "--reporter", REPORTER, "--timeout", "300000", tests], {
    cwd: packageRoot,
    stdio: "inherit",
    env: { ...process.env, ...engine.env, IMAGES_TAG: tag },
  });
  return new Promise((resolve) => child.once("close", (code) => resolve(code === 0)));
}

/** Takes away what the tests left on an engine that goes on. */
async function cleanUp(engine: Engine, tag: string): Promise<void> {
  if (engine.ownEngine) return;
  for (const image of IMAGE_NAMES) {
    await docker(["image", "rm", "--force", `eventlogger-${image}:${tag}`], onEngine(engine)).catch(() => {});
  }
}

async function main(): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), "eventlogger-images-"));
  const tag = `test-${process.pid}`;
  let engine: Engine | undefined;
  try {
    engine = await findOrStartEngine(directory, say);
    say(`Docker Engine ${engine.version}${engine.ownEngine ? "" : ", which was running"}`);
    await ensureBaseImages(engine, join(packageRoot, "pipeline", "Dockerfile"), directory, say);
    await build(engine, tag);
    await ensureSubmitter(() => say("installing Beam for Python (once)"));
    await ensurePythonEnvironment(() => say("installing the BigQuery emulator (once)"));
    return await runTests(engine, tag);
  } catch (error) {
    if (!(error instanceof CannotTestError)) throw error;
    process.stdout.write(`\nSKIPPED: ${error.message}\n`);
    return true;
  } finally {
    if (engine) await cleanUp(engine, tag);
    await engine?.stop();
    rmSync(directory, { recursive: true, force: true });
    say("done");
  }
}

void main().then(
  (ok) => process.exit(ok ? 0 : 1),
  (error: unknown) => {
    process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
    process.exit(1);
  },
);
