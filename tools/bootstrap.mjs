// Runs a compiled program of this repository, also on a fresh clone: checks Node, installs npm packages when the lock file
// wants others than node_modules holds, compiles what has changed, then runs it.
//   node tools/bootstrap.mjs local/dist/up.js [arguments]
// Without a program it only installs and compiles. It has no dependencies, because a fresh clone has none installed.
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const NODE_MAJORS = [20, 22, 24];
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

/** Whether node_modules holds what the lock file wants. npm records what it installed after it has finished. */
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
    fail(
      "node_modules is a symbolic link and does not hold what package-lock.json wants: run npm ci where it leads to",
    );
  }
  process.stderr.write("installing npm packages\n");
  const npm = process.env.npm_execpath;
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  if (npm?.endsWith(".js")) run(process.execPath, [npm, ...args]);
  else run("npm", args);
}

const [program, ...args] = process.argv.slice(2);
checkNode();
install();
run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "--build", root]);
if (program) {
  process.argv = [process.execPath, resolve(root, program), ...args];
  createRequire(import.meta.url)(resolve(root, program));
}
