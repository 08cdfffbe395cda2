"use strict";
// The programs that must be on the machine. Plain JavaScript without dependencies: on a fresh clone they are checked
// before anything is installed or compiled. Typed by toolchain.ts.
const { existsSync, readdirSync, realpathSync } = require("node:fs");
const { homedir } = require("node:os");
const { delimiter, dirname, join } = require("node:path");
const { tryCommand } = require("@eventlogger/process/tryCommand.cjs");
const { findPython, PYTHON_MINOR } = require("@eventlogger/process/python/findPython.cjs");

const NODE_MAJORS = [20, 22, 24];
const JAVA_MAJOR = 17;

function nodeProblem(version) {
  if (NODE_MAJORS.includes(Number(version.split(".")[0]))) return undefined;
  return `Node ${NODE_MAJORS.slice(0, -1).join(", ")} or ${NODE_MAJORS.at(-1)} is needed, this is ${version}: https://nodejs.org/en/download`;
}

/** The `java` of JAVA_HOME, otherwise the one on the path. */
function javaCommand() {
  const home = process.env.JAVA_HOME;
  const java = home && join(home, "bin", "java");
  return java && existsSync(java) ? java : "java";
}

/** What is wrong with a Java whose `java -version` printed this; undefined stands for none. */
function javaProblem(output) {
  const howTo = `apt-get install openjdk-${JAVA_MAJOR}-jre-headless, or https://adoptium.net`;
  // Java 8 calls itself 1.8.
  const version = output === undefined ? undefined : /version "(?:1\.)?(\d+)/.exec(output)?.[1];
  if (version === undefined) return `Java ${JAVA_MAJOR} or newer is needed, found none: ${howTo}`;
  if (Number(version) >= JAVA_MAJOR) return undefined;
  return `Java ${JAVA_MAJOR} or newer is needed, found ${version}: ${howTo}`;
}

async function checkJava() {
  const { code, output } = await tryCommand(javaCommand(), ["-version"]);
  return javaProblem(code === 0 ? output : undefined);
}

async function checkPython() {
  const python = await findPython();
  if (!python) {
    return `Python 3.${PYTHON_MINOR} or newer is needed: apt-get install python3 python3-venv, or https://python.org`;
  }
  if (python.canMakeEnvironments) return undefined;
  return `Python ${python.version} (${python.command}) lacks its venv module: apt-get install python3-venv`;
}

async function checkMaven() {
  const { code } = await tryCommand("mvn", ["--version"], 60_000);
  if (code === 0) return undefined;
  return "Maven is needed to fetch Beam's Flink runner: apt-get install maven, or https://maven.apache.org/install";
}

function jarUnder(sdkRoot) {
  const lib = join(sdkRoot, "platform", "pubsub-emulator", "lib");
  if (!existsSync(lib)) return undefined;
  const jars = readdirSync(lib).filter((file) => /^cloud-pubsub-emulator-.*\.jar$/.test(file));
  const newest = jars.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).pop();
  return newest && join(lib, newest);
}

/** The SDK that the `gcloud` on the path belongs to, without running it. */
function rootOfGcloudOnPath() {
  for (const dir of (process.env.PATH ?? "").split(delimiter)) {
    const gcloud = join(dir, "gcloud");
    if (dir && existsSync(gcloud)) return dirname(dirname(realpathSync(gcloud)));
  }
  return undefined;
}

async function lookForPubSubEmulatorJar() {
  const roots = [
    rootOfGcloudOnPath(),
    process.env.CLOUDSDK_ROOT_DIR,
    "/usr/lib/google-cloud-sdk",
    "/usr/lib64/google-cloud-sdk",
    "/usr/share/google-cloud-sdk",
    "/usr/local/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/opt/google-cloud-cli",
    "/snap/google-cloud-cli/current",
    "/opt/homebrew/share/google-cloud-sdk",
    "/usr/local/share/google-cloud-sdk",
    join(homedir(), "google-cloud-sdk"),
  ];
  for (const root of roots) {
    const jar = root && jarUnder(root);
    if (jar) return jar;
  }
  // Last, for it takes seconds.
  const { code, output } = await tryCommand("gcloud", ["info", "--format=value(installation.sdk_root)"], 60_000);
  return code === 0 ? jarUnder(output.trim().split("\n").pop() ?? "") : undefined;
}

let foundJar;

/** The jar of Google's Pub/Sub emulator; undefined when it is not installed. Looked up once a process. */
function findPubSubEmulatorJar() {
  foundJar ??= lookForPubSubEmulatorJar();
  return foundJar;
}

async function checkPubSubEmulator() {
  if (await findPubSubEmulatorJar()) return undefined;
  return (
    "Google's Pub/Sub emulator is needed: gcloud components install pubsub-emulator, or apt-get install " +
    "google-cloud-cli-pubsub-emulator (https://cloud.google.com/sdk/docs/install)"
  );
}

/** All that is needed and missing, each with how to get it; empty when everything is there. */
async function missingPrerequisites() {
  const checks = [checkJava(), checkPython(), checkMaven(), checkPubSubEmulator()];
  return [nodeProblem(process.versions.node), ...(await Promise.all(checks))].filter(
    (problem) => problem !== undefined,
  );
}

module.exports = { findPubSubEmulatorJar, javaCommand, javaProblem, missingPrerequisites, nodeProblem };
