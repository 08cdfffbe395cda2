import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runMain } from "@eventlogger/process/main";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { onStopSignals } from "@eventlogger/process/stopSignals";
import { runTests } from "../runner/runTests";
import { failures, summaryLine } from "../runner/summary";
import { ensureBaseImages } from "./baseImages";
import { CannotTestError, findOrStartEngine, type Engine } from "./engine";

/** Environment of tests on an engine. */
export interface EngineSession {
  readonly engine: Engine;
  /** Deleted at the end. */
  readonly directory: string;
  /** Part of the names of images and projects, so that runs do not conflict. */
  readonly tag: string;
  /** Prints a line with the seconds since the start. */
  readonly say: (line: string) => void;
}

/** Runs a file of tests with an engine. @returns whether all of them passed */
export async function runTestsOnEngine(
  { engine, say }: EngineSession,
  file: string,
  env: Readonly<Record<string, string>>,
): Promise<boolean> {
  const summary = await runTests({ files: [file], env: { ...engine.env, ...env } });
  say(summaryLine(summary));
  return failures(summary) === 0;
}

async function onEngine(
  dockerfiles: readonly string[],
  tests: (session: EngineSession) => Promise<boolean>,
  cleanUp: (session: EngineSession) => Promise<void>,
): Promise<boolean> {
  const startedAt = Date.now();
  const say = (line: string): void => {
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(0).padStart(4);
    process.stdout.write(`${seconds} s  ${line}\n`);
  };
  const directory = mkdtempSync(join(tmpdir(), "eventlogger-engine-"));
  const stopping = onStopSignals();
  const interrupted = new Promise<never>((_, reject) => {
    stopping.signal.addEventListener("abort", () => reject(stopping.signal.reason as Error), { once: true });
  });
  interrupted.catch(() => {});
  let engine: Engine | undefined;
  try {
    engine = await findOrStartEngine(directory, say);
    say(`Docker Engine ${engine.version}${engine.ownEngine ? "" : " (already running)"}`);
    await ensureBaseImages(
      engine,
      dockerfiles.map((dockerfile) => join(repositoryRoot, dockerfile)),
      directory,
      say,
    );
    const session = { engine, directory, tag: `test-${process.pid}`, say };
    try {
      return await Promise.race([tests(session), interrupted]);
    } finally {
      if (!engine.ownEngine) await cleanUp(session);
    }
  } catch (error) {
    if (!(error instanceof CannotTestError)) throw error;
    process.stdout.write(`\nSKIPPED: ${error.message}\n`);
    return true;
  } finally {
    await engine?.stop();
    rmSync(directory, { recursive: true, force: true });
    say("done");
  }
}

/**
 * The main program of a command that tests on a Docker Engine. It uses the engine that docker finds. Without one, and as
 * root, it starts its own, and creates the base images when they cannot be pulled. Where that is not possible, it prints
 * SKIPPED and the reason, and exits with 0.
 * @param dockerfiles whose base images are needed, relative to the root of the repository
 * @param cleanUp removes what the tests left on an engine that was already running
 */
export function runOnEngine(
  dockerfiles: readonly string[],
  tests: (session: EngineSession) => Promise<boolean>,
  cleanUp: (session: EngineSession) => Promise<void>,
): void {
  runMain(async () => ((await onEngine(dockerfiles, tests, cleanUp)) ? 0 : 1));
}
