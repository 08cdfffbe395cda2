// Runs a compiled script of this package on a fresh clone: checks the machine, installs, builds, then starts it.
//   node local/bootstrap.mjs dist/local/up.js [arguments]
// Without dependencies, for on a fresh clone there are none.
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCE_DIRS = ["bench", "client", "config", "ingest", "local", "nginx", "pipeline", "test"];
const BUILD_STAMP = join(root, "dist", ".built");

function say(text) {
  process.stderr.write(`${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}

async function checkMachine() {
  const missing = await require("@eventlogger/gcp/emulators/toolchain.cjs").missingPrerequisites();
  if (missing.length === 0) return;
  fail(`This machine lacks:\n${missing.map((problem) => `  - ${problem}`).join("\n")}`);
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** Whether node_modules holds what the lock file wants. npm writes down what it installed when it is done, not before. */
function isInstalled() {
  const installed = readJson(join(root, "node_modules", ".package-lock.json"))?.packages;
  const wanted = readJson(join(root, "package-lock.json"))?.packages;
  if (!installed || !wanted) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === "" || (entry.optional && !installed[path])) return true;
    return installed[path]?.version === entry.version && installed[path]?.integrity === entry.integrity;
  });
}

function run(command, args) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (status !== 0) fail(`${command} ${args.join(" ")} failed: ${error?.message ?? signal ?? `exit code ${status}`}`);
}

function install() {
  if (isInstalled()) return;
  const modules = join(root, "node_modules");
  if (existsSync(modules) && lstatSync(modules).isSymbolicLink()) {
    fail("node_modules is a link and does not hold what package-lock.json wants; install where it leads to");
  }
  say("installing npm packages");
  const npm = process.env.npm_execpath;
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  if (npm?.endsWith(".js")) run(process.execPath, [npm, ...args]);
  else run("npm", args);
}

/** The files under a folder whose names end in one of `endings`. */
function* files(dir, ...endings) {
  if (!existsSync(dir)) return;
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* files(path, ...endings);
    else if (endings.some((ending) => entry.name.endsWith(ending))) yield path;
  }
}

function build() {
  const sources = SOURCE_DIRS.flatMap((dir) => [...files(join(root, dir), ".ts", ".mts")]);
  // Signature before compiling: what changes meanwhile is compiled the next time. Not by the latest time alone: a
  // checkout or an unpacked archive may bring older files.
  const signature = [...sources, join(root, "tsconfig.json"), join(root, "package-lock.json")]
    .map((file) => `${relative(root, file)} ${statSync(file).mtimeMs} ${statSync(file).size}\n`)
    .join("");
  if (existsSync(BUILD_STAMP) && readFileSync(BUILD_STAMP, "utf8") === signature) return;
  say("compiling");
  rmSync(BUILD_STAMP, { force: true });
  // What was compiled from a source that is gone would still be run, tests above all.
  for (const compiled of files(join(root, "dist"), ".js", ".mjs")) {
    const source = join(root, relative(join(root, "dist"), compiled)).replace(/js$/, "ts");
    if (existsSync(source)) continue;
    rmSync(compiled);
    rmSync(`${compiled}.map`, { force: true });
  }
  run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.json"]);
  writeFileSync(BUILD_STAMP, signature);
}

const [script, ...args] = process.argv.slice(2);
if (!script) fail("usage: node local/bootstrap.mjs <compiled script> [arguments]");
await checkMachine();
install();
build();
process.argv = [process.execPath, resolve(root, script), ...args];
require(resolve(root, script));
