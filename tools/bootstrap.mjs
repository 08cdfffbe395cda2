// Runs a compiled program of this repository, also on a fresh clone: checks Node, installs npm packages when node_modules
// does not hold what the lock file wants, compiles what has changed, then runs the program.
//   node tools/bootstrap.mjs local/dist/up.js [arguments]
// Without a program it only installs and compiles. It has no dependencies, because a fresh clone has none installed.
import { spawn } from "node:child_process";
import { existsSync, lstatSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const NODE_MAJORS = [20, 22, 24];
/** A compilation that takes longer is announced. */
const QUIET_COMPILE_MS = 3000;
const root = dirname(dirname(fileURLToPath(import.meta.url)));

function fail(text) {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

function checkNode() {
  const { node } = process.versions;
  if (NODE_MAJORS.includes(Number(node.split(".")[0]))) return;
  fail(`Node ${NODE_MAJORS.join(", ")} is supported, this is ${node}: https://nodejs.org/en/download`);
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** The number of packages that node_modules lacks or has in another version. npm records what it has installed. */
function countMissing() {
  const installed = readJson(join(root, "node_modules", ".package-lock.json"))?.packages ?? {};
  const wanted = readJson(join(root, "package-lock.json"))?.packages ?? { missing: {} };
  return Object.entries(wanted).filter(([path, entry]) => {
    if (path === "" || (entry.optional && !installed[path])) return false;
    const found = installed[path];
    return !found || found.version !== entry.version || found.integrity !== entry.integrity;
  }).length;
}

/**
 * Runs a command; this process fails when the command does.
 * @param onLine gets the lines of standard error, which are otherwise printed
 */
async function run(command, args, onLine) {
  const child = spawn(command, args, { cwd: root, stdio: ["ignore", 2, onLine ? "pipe" : 2] });
  if (onLine) createInterface(child.stderr).on("line", onLine);
  const problem = await new Promise((done) => {
    child.once("error", (error) => done(error.message));
    child.once("close", (code, signal) => done(code === 0 ? undefined : (signal ?? `exit code ${code}`)));
  });
  if (problem) fail(`${command} ${args.join(" ")} failed: ${problem}`);
}

/** Shows progress: on a terminal a line that is drawn over, elsewhere a line every ten seconds. */
function showProgress(describe) {
  const isTerminal = process.stderr.isTTY;
  const startedAt = Date.now();
  const text = () => `${describe()}, ${Math.round((Date.now() - startedAt) / 1000)} s`;
  const draw = () => process.stderr.write(isTerminal ? `\r\u001b[K${text()}` : `${text()}\n`);
  const timer = setInterval(draw, isTerminal ? 200 : 10_000);
  return () => {
    clearInterval(timer);
    process.stderr.write(`${isTerminal ? "\r\u001b[K" : ""}${text()}\n`);
  };
}

async function install() {
  const missing = countMissing();
  if (missing === 0) return;
  const modules = join(root, "node_modules");
  if (existsSync(modules) && lstatSync(modules).isSymbolicLink()) {
    fail(
      "node_modules is a symbolic link, and its packages are not those of package-lock.json: run npm ci in the folder " +
        "that it points to",
    );
  }
  process.stderr.write("installing npm packages\n");
  let fetched = 0;
  const stopProgress = showProgress(() => `installing npm packages: ${fetched} fetched`);
  const onLine = (line) => {
    if (/^npm http /.test(line)) fetched++;
    // What the log level `error` would print.
    else if (!/^npm (warn|notice) /.test(line)) process.stderr.write(`${line}\n`);
  };
  const args = ["ci", "--no-audit", "--no-fund", "--no-progress", "--loglevel=http"];
  const npm = process.env.npm_execpath;
  if (npm?.endsWith(".js")) await run(process.execPath, [npm, ...args], onLine);
  else await run("npm", args, onLine);
  stopProgress();
}

async function compile() {
  const timer = setTimeout(() => process.stderr.write("compiling\n"), QUIET_COMPILE_MS);
  await run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "--build", root]);
  clearTimeout(timer);
  // What the compiler does not make: the bundles of the client and of the dashboard.
  const bundles = ["client", "dashboard"].map((name) => join(root, "packages", name, "build.mjs"));
  for (const bundle of bundles.filter((file) => existsSync(file))) await run(process.execPath, [bundle, "--quiet"]);
}

const [program, ...args] = process.argv.slice(2);
checkNode();
await install();
await compile();
if (program) {
  process.argv = [process.execPath, resolve(root, program), ...args];
  createRequire(import.meta.url)(resolve(root, program));
}
