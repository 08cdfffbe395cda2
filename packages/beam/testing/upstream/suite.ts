/** Runs the tests that the SDK's npm package contains (`dist/test`), with this library loaded first. */
import "../../sdk";
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { EXCEPTIONS, type Place, type UpstreamException } from "./exceptions";

const sdkTests = path.join(packageRootOf(require.resolve("apache-beam")), "dist", "test");
const standardCoders = path.join(packageRootOf(__filename), "coders", "testing", "standard_coders.yaml");
/** Where upstream's test looks for the examples, from the folder of the SDK in Beam's repository. */
const STANDARD_CODERS = "model/fn-execution/src/main/resources/org/apache/beam/model/fnexecution/v1";

/** A test as mocha reports it. */
interface ReportedTest {
  readonly fullTitle: string;
  readonly duration?: number;
  readonly err: { readonly message?: string };
}

/** The result of a run, in the form of mocha's JSON reporter. */
export interface UpstreamResult {
  readonly passes: readonly ReportedTest[];
  readonly failures: readonly ReportedTest[];
  readonly pending: readonly ReportedTest[];
}

export interface UpstreamOptions {
  readonly place: Place;
  /** Compiled module that is loaded before the tests. */
  readonly setUp: string;
  /** Environment, added to that of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Time limit of a test that sets none, ms. */
  readonly timeoutMs: number;
  /** Names of files in `dist/test`, without extension. */
  readonly files: readonly string[];
  /** Mocha's arguments. */
  readonly args?: readonly string[];
}

/**
 * Runs the tests in a process of their own.
 * @throws Error with the end of the output when mocha does not get to its end
 */
export async function runUpstreamTests({
  place,
  setUp,
  env,
  timeoutMs,
  files,
}: UpstreamOptions): Promise<UpstreamResult> {
  const root = mkdtempSync(path.join(tmpdir(), "beam-upstream-"));
  try {
    const workDir = path.join(root, "sdks", "typescript");
    mkdirSync(workDir, { recursive: true });
    mkdirSync(path.join(root, STANDARD_CODERS), { recursive: true });
    copyFileSync(standardCoders, path.join(root, STANDARD_CODERS, path.basename(standardCoders)));
    const report = path.join(root, "report.json");
    const child = spawn(
      process.execPath,
      [
        createRequire(__filename).resolve("mocha/bin/mocha.js"),
        ...["--reporter", "json", "--reporter-option", `output=${report}`],
        ...["--timeout", String(timeoutMs), "--exit", "--require", setUp],
        ...files.map((name) => path.join(sdkTests, `${name}.js`)),
      ],
      { cwd: workDir, env: { ...process.env, ...env, UPSTREAM_PLACE: place }, stdio: ["ignore", "pipe", "pipe"] },
    );
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (output = (output + text).slice(-20_000)));
    }
    await new Promise((resolve, reject) => child.once("close", resolve).once("error", reject));
    if (!existsSync(report)) throw new Error(`mocha ended before its tests:\n${output}`);
    return JSON.parse(readFileSync(report, "utf8")) as UpstreamResult;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** The exception for a test. */
export function exceptionFor(title: string, place: Place): UpstreamException | undefined {
  return EXCEPTIONS.find((e) => e.places.includes(place) && title.startsWith(e.title));
}

/** What in a result differs from the table of exceptions: one text for each difference, and for each unused exception. */
export function differences(result: UpstreamResult, place: Place): string[] {
  const found: string[] = [];
  const used = new Set<UpstreamException>();
  const expected = (title: string): UpstreamException | undefined => {
    const exception = exceptionFor(title, place);
    if (exception) used.add(exception);
    return exception;
  };
  for (const { fullTitle } of result.passes) {
    const outcome = expected(fullTitle)?.outcome;
    if (outcome && !(typeof outcome === "object" && "mayFail" in outcome))
      found.push(`passes, but is listed as an exception: ${fullTitle}`);
  }
  for (const { fullTitle, err } of result.failures) {
    const outcome = expected(fullTitle)?.outcome;
    if (typeof outcome === "object") {
      if (("fails" in outcome ? outcome.fails : outcome.mayFail).test(err.message ?? "")) continue;
    }
    found.push(`fails: ${fullTitle}: ${err.message}`);
  }
  for (const { fullTitle } of result.pending) {
    if (typeof expected(fullTitle)?.outcome !== "string") found.push(`is skipped: ${fullTitle}`);
  }
  for (const exception of EXCEPTIONS) {
    if (exception.places.includes(place) && !used.has(exception)) found.push(`no test is called ${exception.title}`);
  }
  return found;
}
