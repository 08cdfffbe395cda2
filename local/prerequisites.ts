import { tryCommand } from "./command";
import { javaCommand } from "./java";
import { findPubSubEmulatorJar } from "./pubsubEmulatorJar";
import { findPython } from "./python/environment";

const NODE_MAJORS = [20, 22, 24];

/** Returns what is wrong and how to mend it, or undefined. */
type Check = () => Promise<string | undefined>;

/** Whether a Node version such as `22.3.0` is one that this package is tested on. */
export function nodeProblem(version: string): string | undefined {
  if (NODE_MAJORS.includes(Number(version.split(".")[0]))) return undefined;
  return `Node 20, 22 or 24 is needed, this is ${version}: https://nodejs.org/en/download`;
}

/** What is wrong with a Java whose `java -version` printed this. */
export function javaProblem(output: string | undefined): string | undefined {
  const howTo = "apt-get install openjdk-17-jre-headless, or https://adoptium.net";
  const version = output === undefined ? undefined : /version "(\d+)/.exec(output)?.[1];
  if (version === undefined) return `Java 17 or newer is needed, found none: ${howTo}`;
  return Number(version) >= 17 ? undefined : `Java 17 or newer is needed, found ${version}: ${howTo}`;
}

const CHECKS: readonly Check[] = [
  async () => nodeProblem(process.versions.node),
  async () => {
    const { code, output } = await tryCommand(javaCommand(), ["-version"]);
    return javaProblem(code === 0 ? output : undefined);
  },
  async () => {
    const python = await findPython();
    if (!python) return "Python 3.11 or newer is needed: apt-get install python3 python3-venv, or https://python.org";
    if (python.canMakeEnvironments) return undefined;
    return `Python ${python.version} (${python.command}) lacks its venv module: apt-get install python3-venv`;
  },
  async () => {
    const { code } = await tryCommand("mvn", ["--version"], 60_000);
    if (code === 0) return undefined;
    return "Maven is needed to fetch Beam's Flink runner: apt-get install maven, or https://maven.apache.org/install";
  },
  async () => {
    if (await findPubSubEmulatorJar()) return undefined;
    return (
      "Google's Pub/Sub emulator is needed: gcloud components install pubsub-emulator, or apt-get install " +
      "google-cloud-cli-pubsub-emulator (https://cloud.google.com/sdk/docs/install)"
    );
  },
];

/** Everything that the one-machine stack needs and this machine lacks, each with how to get it; empty when all is there. */
export async function missingPrerequisites(): Promise<string[]> {
  const problems = await Promise.all(CHECKS.map((check) => check()));
  return problems.filter((p): p is string => p !== undefined);
}
