/**
 * `npm test`: sets up what the tests need, then checks style, then runs every test. With arguments, only the test files
 * that match them: `npm test -- pipeline/domain`.
 */
import { spawn, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import path = require("node:path");
import { readWorkspaces } from "@eventlogger/tools/images/workspaces";
import { ensureBootProgram } from "@eventlogger/tools/images/bootProgram";
import { ensureChromium } from "./client/testing/chromium";
import { ensureNginx } from "./setup/installNginx";
import { cacheDir, repositoryRoot } from "@eventlogger/process/packageRoot";
import { checkPrerequisites } from "@eventlogger/gcp/emulators/prerequisites";
import { ensurePythonEnvironment } from "@eventlogger/gcp/emulators/python/environment";
import { ensureExpansionClasspath } from "@eventlogger/beam/expansion/classpath";
import { ensureFlinkClasspath } from "@eventlogger/beam/flink/classpath";
import { ensureSubmitter } from "@eventlogger/pipeline/runners/dataflow/submitter/environment";

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function run(what: string, args: readonly string[]): boolean {
  say(`\n== ${what}`);
  return spawnSync(process.execPath, args, { cwd: repositoryRoot, stdio: "inherit" }).status === 0;
}

/** Runs beside other things; what it prints is said at once when it has ended. */
function runAside(what: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: repositoryRoot, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    }
    child.once("error", reject);
    child.once("close", (code) => {
      say(`\n== ${what}: ${code === 0 ? "clean" : "not clean"}`);
      if (output) say(output.trimEnd());
      resolve(code === 0);
    });
  });
}

/** Style is checked while the set-up waits for downloads. */
async function checkStyle(): Promise<boolean> {
  const lint = await runAside("lint", [bin("eslint", "bin/eslint.js"), "."]);
  const format = await runAside("format", [
    bin("prettier", "bin/prettier.cjs"),
    ...["--check", "--log-level=warn", "."],
  ]);
  return lint && format;
}

const bin = (name: string, file: string): string => path.join(repositoryRoot, "node_modules", name, file);

/** Makes what the tests need and what is not there yet; what waits for downloads and what computes go side by side. */
async function setUp(): Promise<void> {
  await checkPrerequisites();
  const python = async (): Promise<void> => {
    await ensurePythonEnvironment(() => say("installing the BigQuery emulator (once, about a minute)"));
    await ensureSubmitter(() => say("installing Beam for Python (once, about a minute)"));
  };
  const java = async (): Promise<void> => {
    await ensureFlinkClasspath({ cacheDir, onProgress: say });
    await ensureExpansionClasspath({ cacheDir, onProgress: say });
  };
  const results = await Promise.allSettled([python(), java(), ensureBootProgram(say)]);
  for (const result of results) if (result.status === "rejected") throw result.reason;
  ensureNginx(say);
  ensureChromium(say);
}

/** The test files of all workspaces, relative to the repository. By source: what was compiled from a deleted one is not run. */
function testFiles(): string[] {
  return [...readWorkspaces(repositoryRoot).values()].flatMap((folder) =>
    readdirSync(path.join(repositoryRoot, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".test.ts") && !/(^|\/)(node_modules|dist)\//.test(file))
      .map((file) => path.join(folder, file))
      .sort(),
  );
}

/** Where the compiler puts a source file, absolute. */
function compiledFile(root: string, file: string): string {
  const folder = [...readWorkspaces(root).values()].find((workspace) => file.startsWith(`${workspace}/`)) ?? "";
  return path.join(root, folder, "dist", file.slice(folder.length + 1).replace(/ts$/, "js"));
}

async function main(filters: readonly string[]): Promise<boolean> {
  say("== set-up");
  const [ready, style] = await Promise.allSettled([setUp(), filters.length ? true : checkStyle()]);
  if (ready.status === "rejected") throw ready.reason;
  if (style.status === "rejected") throw style.reason;
  let ok = style.value;
  const reporter = path.join(__dirname, "reporter.js");
  const files = testFiles().filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)));
  if (files.length === 0) throw new Error(`No test file matches ${filters.join(", ")}`);
  const compiled = files.map((file) => compiledFile(repositoryRoot, file));
  ok = run("tests", [bin("mocha", "bin/mocha.js"), "--reporter", reporter, "--timeout", "20000", ...compiled]) && ok;
  if (!ok) say("\nThere were failures: see above");
  return ok;
}

void main(process.argv.slice(2)).then(
  (ok) => process.exit(ok ? 0 : 1),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
