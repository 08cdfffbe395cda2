import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { runTests } from "../runner/runTests";
import { summaryLine } from "../runner/summary";
import { ensureBaseImages } from "./baseImages";
import { CannotTestError, findOrStartEngine, type Engine } from "./engine";

/** Limit of a test that sets none, ms. */
const TEST_TIMEOUT_MS = 300_000;

/** What tests on an engine get. */
export interface EngineSession {
  readonly engine: Engine;
  /** Taken away at the end. */
  readonly directory: string;
  /** For names of images and projects, so that runs do not meet. */
  readonly tag: string;
  /** Prints a line with the seconds since the start. */
  readonly say: (line: string) => void;
}

/** Runs a file of tests in a process of its own, which finds the engine; @returns whether all passed. */
export async function runTestsOnEngine(
  { engine, say }: EngineSession,
  file: string,
  env: Readonly<Record<string, string>>,
): Promise<boolean> {
  const summary = await runTests({ files: [file], timeoutMs: TEST_TIMEOUT_MS, env: { ...engine.env, ...env } });
  say(summaryLine(summary));
  return summary.failed === 0;
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
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => reject(new Error(`${signal}: what was started is stopped`)));
    }
  });
  interrupted.catch(() => {});
  let engine: Engine | undefined;
  try {
    engine = await findOrStartEngine(directory, say);
    say(`Docker Engine ${engine.version}${engine.ownEngine ? "" : ", which was running"}`);
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
 * The main program of a command that tests on a Docker Engine. Takes the engine that docker finds; without one, and as
 * root, it starts one of its own, and makes base images on the spot when they cannot be pulled. Where that is not possible,
 * it says SKIPPED and why, and ends with 0.
 * @param dockerfiles whose base images are needed, relative to the package
 * @param cleanUp takes away what the tests left on an engine that goes on
 */
export function runOnEngine(
  dockerfiles: readonly string[],
  tests: (session: EngineSession) => Promise<boolean>,
  cleanUp: (session: EngineSession) => Promise<void>,
): void {
  void onEngine(dockerfiles, tests, cleanUp).then(
    (ok) => process.exit(ok ? 0 : 1),
    (error: unknown) => {
      process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
      process.exit(1);
    },
  );
}
