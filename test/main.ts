/**
 * `npm test`: installs what the tests need, checks style, then runs every test. With arguments, only the test files whose
 * path contains one of them, and only what these need is installed: `npm test -- packages/options`.
 * `npm run test:unit` (`--unit`): only the unit tests, which need nothing but Node.
 */
import { Progress } from "@eventlogger/options/progress";
import { runMain } from "@eventlogger/process/main";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { readWorkspaces } from "@eventlogger/tools/images/workspaces";
import { runFailedAgain } from "./runner/runAgain";
import { runTests } from "./runner/runTests";
import { setUp } from "./runner/setUp";
import { neededSteps } from "./runner/setUpSteps";
import { checkStyle } from "./runner/style";
import { failures, slowestFiles, sourceOf, summaryLine, type TestSummary } from "./runner/summary";
import {
  compiledFile,
  findTestFiles,
  isEndToEndTest,
  isUnitTest,
  parseSelection,
  selectTests,
} from "./runner/testFiles";

/** Files of unit tests that run at the same time. The machines that run them have at least two cores. */
const UNIT_JOBS = 2;

/**
 * Other test files that run at the same time. Each starts its own services on free ports, so files are independent of each other. One more
 * than the cores, because most tests wait for other processes, for leases and for time limits.
 */
const COMPONENT_JOBS = 3;

/**
 * The JVMs of the tests live for a minute. They compile with the quick compiler only, because the optimizing one takes half of their CPU
 * time for code that then hardly runs; they collect garbage in one thread, and do not verify the byte code of the pinned libraries.
 * Options that are set already have priority; another garbage collector among them is refused by Java.
 */
const JAVA_OPTIONS =
  "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote";

function javaEnvironment(): Readonly<Record<string, string>> {
  return { JDK_JAVA_OPTIONS: [JAVA_OPTIONS, process.env["JDK_JAVA_OPTIONS"] ?? ""].join(" ").trim() };
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);

async function prepare(files: readonly string[], withStyle: boolean): Promise<boolean> {
  const steps = neededSteps(repositoryRoot, files);
  if (steps.size === 0 && !withStyle) return true;
  print(`== set-up${steps.size ? `: ${[...steps].join(", ")}` : ""}`);
  const progress = new Progress();
  // Style is checked while the set-up waits for downloads.
  const [ready, style] = await Promise.allSettled([setUp(steps, progress), withStyle ? checkStyle(progress) : true]);
  if (ready.status === "rejected") throw ready.reason;
  if (style.status === "rejected") throw style.reason;
  return style.value;
}

async function main(args: readonly string[]): Promise<number> {
  const selection = parseSelection(args);
  const files = selectTests(findTestFiles(repositoryRoot), selection);
  const isWholeSuite = !selection.unitOnly && selection.filters.length === 0;
  const isStyleClean = await prepare(files, isWholeSuite);

  const workspaces = readWorkspaces(repositoryRoot);
  const compiled = (isWanted: (file: string) => boolean): string[] =>
    files.filter(isWanted).map((file) => compiledFile(workspaces, file));
  let summary: TestSummary = {};
  let unstable: readonly string[] = [];
  const unit = compiled(isUnitTest);
  if (unit.length > 0) {
    print(`\n== ${unit.length} files of unit tests`);
    summary = await runTests({ files: unit, jobs: Math.min(UNIT_JOBS, unit.length) });
  }
  // The longest ones first, so that no core is idle at the end.
  const others = [...compiled(isEndToEndTest), ...compiled((file) => !isUnitTest(file) && !isEndToEndTest(file))];
  if (others.length > 0) {
    print(`\n== ${others.length} files of component and end-to-end tests`);
    const env = javaEnvironment();
    let found = await runTests({ files: others, jobs: Math.min(COMPONENT_JOBS, others.length), env });
    if (isWholeSuite) {
      ({ summary: found, unstable } = await runFailedAgain(found, (failed) => {
        print(`\n== ${failed.length} failed beside others: once more, one after the other`);
        return runTests({ files: failed, env });
      }));
    }
    summary = { ...summary, ...found };
  }

  print("\n== slowest files");
  for (const line of slowestFiles(repositoryRoot, summary)) print(line);
  for (const file of unstable)
    print(`\nUnstable: failed beside others, and passed alone: ${sourceOf(repositoryRoot, file)}`);
  if (!isStyleClean) print("\nThe style check failed: see above, or run npm run lint");
  print(`\n${summaryLine(summary)}`);
  return isStyleClean && failures(summary) === 0 ? 0 : 1;
}

runMain(() => main(process.argv.slice(2)));
