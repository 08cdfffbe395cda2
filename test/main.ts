/**
 * `npm test`: sets up what the tests need, then checks style, then runs every test. With arguments, only the test files
 * that match them: `npm test -- pipeline/domain`.
 */
import { spawn, spawnSync } from "node:child_process";
import path = require("node:path");
import { ensureBootProgram } from "@eventlogger/tools/images/bootProgram";
import { ensureChromium } from "./client/testing/chromium";
import { ensureNginx } from "./setup/installNginx";
import { cacheDir, packageRoot } from "@eventlogger/process/packageRoot";
import { ensurePythonEnvironment } from "@eventlogger/gcp/emulators/python/environment";
import { ensureExpansionClasspath } from "@eventlogger/beam/expansion/classpath";
import { ensureFlinkClasspath } from "@eventlogger/beam/flink/classpath";
import { ensureSubmitter } from "@eventlogger/pipeline/runners/dataflow/submitter/environment";

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function run(what: string, args: readonly string[]): boolean {
  say(`\n== ${what}`);
  return spawnSync(process.execPath, args, { cwd: packageRoot, stdio: "inherit" }).status === 0;
}

/** Runs beside other things; what it prints is said at once when it has ended. */
function runAside(what: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: packageRoot, stdio: ["ignore", "pipe", "pipe"] });
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

const bin = (name: string, file: string): string => path.join(packageRoot, "node_modules", name, file);

/** Makes what the tests need and what is not there yet; what waits for downloads and what computes go side by side. */
async function setUp(): Promise<void> {
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

async function main(filters: readonly string[]): Promise<boolean> {
  say("== set-up");
  const [ready, style] = await Promise.allSettled([setUp(), filters.length ? true : checkStyle()]);
  if (ready.status === "rejected") throw ready.reason;
  if (style.status === "rejected") throw style.reason;
  let ok = style.value;
  const reporter = path.join(__dirname, "reporter.js");
  const patterns = filters.length ? filters.map((f) => `dist/**/*${f}*/**/*.test.js`) : ["dist/**/*.test.js"];
  ok = run("tests", [bin("mocha", "bin/mocha.js"), "--reporter", reporter, "--timeout", "20000", ...patterns]) && ok;
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
