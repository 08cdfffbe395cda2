/**
 * `npm test`: sets up what the tests need, then checks style, then runs every test. With arguments, only the test files
 * that match them: `npm test -- pipeline/domain`.
 */
import { spawnSync } from "node:child_process";
import path = require("node:path");
import { ensureBootProgram } from "../local/images/bootProgram";
import { ensureChromium } from "../client/testing/chromium";
import { ensureNginx } from "../local/stack/installNginx";
import { cacheDir, packageRoot } from "../config/packageRoot";
import { ensurePythonEnvironment } from "../local/python/environment";
import { ensureExpansionClasspath } from "../pipeline/beam/expansion/classpath";
import { ensureFlinkClasspath } from "../pipeline/beam/flink/classpath";
import { ensureSubmitter } from "../pipeline/runners/dataflow/submitter/environment";

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function run(what: string, args: readonly string[]): boolean {
  say(`\n== ${what}`);
  return spawnSync(process.execPath, args, { cwd: packageRoot, stdio: "inherit" }).status === 0;
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
  await setUp();
  let ok = true;
  if (!filters.length) {
    ok = run("lint", [bin("eslint", "bin/eslint.js"), "."]) && ok;
    ok = run("format", [bin("prettier", "bin/prettier.cjs"), "--check", "--log-level=warn", "."]) && ok;
  }
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
