/** Checks that the programs are installed that the emulators, Flink and the tests need. */
import { findPython, PYTHON_MINOR } from "@eventlogger/process/python/findPython";
import { tryCommand } from "@eventlogger/process/tryCommand";
import { javaCommand } from "./javaCommand";
import { findPubSubEmulatorJar } from "./pubsubEmulatorJar";

const JAVA_MAJOR = 17;

/**
 * The problem with the installed Java; undefined when it is recent enough.
 * @param output output of `java -version`; undefined when Java is not installed
 */
export function javaProblem(output: string | undefined): string | undefined {
  const howTo = `apt-get install openjdk-${JAVA_MAJOR}-jre-headless, or https://adoptium.net`;
  // Java 8 reports version 1.8.
  const version = output === undefined ? undefined : /version "(?:1\.)?(\d+)/.exec(output)?.[1];
  if (version === undefined) return `Java ${JAVA_MAJOR} or newer is required, but Java is not installed: ${howTo}`;
  if (Number(version) >= JAVA_MAJOR) return undefined;
  return `Java ${JAVA_MAJOR} or newer is required, but version ${version} is installed: ${howTo}`;
}

async function checkJava(): Promise<string | undefined> {
  const { code, output } = await tryCommand(javaCommand(), ["-version"]);
  return javaProblem(code === 0 ? output : undefined);
}

async function checkPython(): Promise<string | undefined> {
  const python = await findPython();
  if (!python) {
    return `Python 3.${PYTHON_MINOR} or newer is required: apt-get install python3 python3-venv, or https://python.org`;
  }
  if (python.canCreateEnvironments) return undefined;
  return `Python ${python.version} (${python.command}) lacks its venv module: apt-get install python3-venv`;
}

async function checkMaven(): Promise<string | undefined> {
  const { code } = await tryCommand("mvn", ["--version"], 60_000);
  if (code === 0) return undefined;
  return "Maven is required to download Beam's Flink runner: apt-get install maven, or https://maven.apache.org/install";
}

async function checkPubSubEmulator(): Promise<string | undefined> {
  if (await findPubSubEmulatorJar()) return undefined;
  return (
    "Google's Pub/Sub emulator is required: gcloud components install pubsub-emulator, or apt-get install " +
    "google-cloud-cli-pubsub-emulator (https://cloud.google.com/sdk/docs/install)"
  );
}

/** The missing programs, each with installation instructions; empty when all are installed. */
export async function missingPrerequisites(): Promise<string[]> {
  const problems = await Promise.all([checkJava(), checkPython(), checkMaven(), checkPubSubEmulator()]);
  return problems.filter((problem) => problem !== undefined);
}

/** Programs are missing on this machine. The message lists all of them with installation instructions. */
export class MissingPrerequisitesError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`Missing on this machine:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
    this.name = "MissingPrerequisitesError";
  }
}

/** @throws MissingPrerequisitesError */
export async function checkPrerequisites(): Promise<void> {
  const problems = await missingPrerequisites();
  if (problems.length > 0) throw new MissingPrerequisitesError(problems);
}
