/** The programs that must be on the machine before the emulators, Flink and the tests can run. */
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { findPython, PYTHON_MINOR } from "@eventlogger/process/python/findPython";
import { tryCommand } from "@eventlogger/process/tryCommand";

const JAVA_MAJOR = 17;

/** The `java` of JAVA_HOME, otherwise the one on the path. */
export function javaCommand(): string {
  const home = process.env["JAVA_HOME"];
  const java = home && join(home, "bin", "java");
  return java && existsSync(java) ? java : "java";
}

/**
 * What is wrong with a Java, or undefined.
 * @param output what `java -version` printed; undefined when there is no Java
 */
export function javaProblem(output: string | undefined): string | undefined {
  const howTo = `apt-get install openjdk-${JAVA_MAJOR}-jre-headless, or https://adoptium.net`;
  // Java 8 calls itself 1.8.
  const version = output === undefined ? undefined : /version "(?:1\.)?(\d+)/.exec(output)?.[1];
  if (version === undefined) return `Java ${JAVA_MAJOR} or newer is needed, but no Java was found: ${howTo}`;
  if (Number(version) >= JAVA_MAJOR) return undefined;
  return `Java ${JAVA_MAJOR} or newer is needed, found ${version}: ${howTo}`;
}

async function checkJava(): Promise<string | undefined> {
  const { code, output } = await tryCommand(javaCommand(), ["-version"]);
  return javaProblem(code === 0 ? output : undefined);
}

async function checkPython(): Promise<string | undefined> {
  const python = await findPython();
  if (!python) {
    return `Python 3.${PYTHON_MINOR} or newer is needed: apt-get install python3 python3-venv, or https://python.org`;
  }
  if (python.canCreateEnvironments) return undefined;
  return `Python ${python.version} (${python.command}) lacks its venv module: apt-get install python3-venv`;
}

async function checkMaven(): Promise<string | undefined> {
  const { code } = await tryCommand("mvn", ["--version"], 60_000);
  if (code === 0) return undefined;
  return "Maven is needed to fetch Beam's Flink runner: apt-get install maven, or https://maven.apache.org/install";
}

function jarUnder(sdkRoot: string): string | undefined {
  const lib = join(sdkRoot, "platform", "pubsub-emulator", "lib");
  if (!existsSync(lib)) return undefined;
  const jars = readdirSync(lib).filter((file) => /^cloud-pubsub-emulator-.*\.jar$/.test(file));
  const newest = jars.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).pop();
  return newest && join(lib, newest);
}

/** The SDK that the `gcloud` on the path belongs to, without running it. */
function rootOfGcloudOnPath(): string | undefined {
  for (const dir of (process.env["PATH"] ?? "").split(delimiter)) {
    const gcloud = join(dir, "gcloud");
    if (dir && existsSync(gcloud)) return dirname(dirname(realpathSync(gcloud)));
  }
  return undefined;
}

async function lookForPubSubEmulatorJar(): Promise<string | undefined> {
  const roots = [
    rootOfGcloudOnPath(),
    process.env["CLOUDSDK_ROOT_DIR"],
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
  // Last, because it takes seconds.
  const { code, output } = await tryCommand("gcloud", ["info", "--format=value(installation.sdk_root)"], 60_000);
  return code === 0 ? jarUnder(output.trim().split("\n").pop() ?? "") : undefined;
}

let foundJar: Promise<string | undefined> | undefined;

/** The jar of Google's Pub/Sub emulator; undefined when it is not installed. Searched for once per process. */
export function findPubSubEmulatorJar(): Promise<string | undefined> {
  foundJar ??= lookForPubSubEmulatorJar();
  return foundJar;
}

async function checkPubSubEmulator(): Promise<string | undefined> {
  if (await findPubSubEmulatorJar()) return undefined;
  return (
    "Google's Pub/Sub emulator is needed: gcloud components install pubsub-emulator, or apt-get install " +
    "google-cloud-cli-pubsub-emulator (https://cloud.google.com/sdk/docs/install)"
  );
}

/** Everything that is needed and missing, each with how to get it; empty when nothing is missing. */
export async function missingPrerequisites(): Promise<string[]> {
  const problems = await Promise.all([checkJava(), checkPython(), checkMaven(), checkPubSubEmulator()]);
  return problems.filter((problem) => problem !== undefined);
}

/** A program is missing on this machine; the message lists all of them and how to get each. */
export class MissingPrerequisitesError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`This machine lacks:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
    this.name = "MissingPrerequisitesError";
  }
}

/** @throws MissingPrerequisitesError */
export async function checkPrerequisites(): Promise<void> {
  const problems = await missingPrerequisites();
  if (problems.length > 0) throw new MissingPrerequisitesError(problems);
}
