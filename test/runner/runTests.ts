import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { failures, type TestSummary } from "./summary";

export interface RunOptions {
  /** Compiled test files, absolute or relative to the root of the repository. */
  readonly files: readonly string[];
  /** Number of processes that run files at the same time. @default 1 */
  readonly jobs?: number;
  /** Prints nothing. @default false */
  readonly isQuiet?: boolean;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Limit of a test that sets none, ms. It ends tests that hang. No test passes because a machine is quick, so it is longer than
 * the minutes for which a virtual machine may be paused.
 */
const TIME_LIMIT_MS = 300_000;

/**
 * Runs test files with mocha, which prints each test.
 * @throws Error when mocha ends before its tests, or fails although all of them passed
 */
export async function runTests({ files, jobs = 1, isQuiet = false, env }: RunOptions): Promise<TestSummary> {
  const directory = mkdtempSync(join(tmpdir(), "test-summary-"));
  const summaryFile = join(directory, "summary.json");
  const args = [
    join(repositoryRoot, "node_modules", "mocha", "bin", "mocha.js"),
    ...["--reporter", join(__dirname, "reporter.js"), "--reporter-option", `summaryFile=${summaryFile}`],
    ...["--timeout", String(TIME_LIMIT_MS), ...(jobs > 1 ? ["--parallel", "--jobs", String(jobs)] : [])],
    ...files,
  ];
  try {
    const child = spawn(process.execPath, args, {
      cwd: repositoryRoot,
      stdio: isQuiet ? "ignore" : "inherit",
      env: { ...process.env, ...env },
    });
    const status = await new Promise<string>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    if (!existsSync(summaryFile)) throw new Error(`mocha ended before its tests (${status})`);
    const summary = JSON.parse(readFileSync(summaryFile, "utf8")) as TestSummary;
    if (failures(summary) === 0 && status !== "exit code 0") {
      throw new Error(`Every test passed, but mocha failed afterwards (${status})`);
    }
    return summary;
  } finally {
    rmSync(directory, { recursive: true });
  }
}
