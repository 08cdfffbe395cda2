import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { DockerError, NoEngineError, runClient, type DockerOptions } from "@eventlogger/tools/images/docker";
import { CannotTestError, ensureCommands, onEngine, type Engine } from "../engine/engine";

/** The plugin of docker (v2) and the program (1.29), in order of preference. */
const CLIENTS = [["docker", "compose"], ["docker-compose"]] as const;

export type ComposeClient = (typeof CLIENTS)[number];

/** Files of settings in `local/`: the pipeline on embedded Flink, or on a cluster. */
type EnvFile = "compose.env" | "cluster.env";

/** Runs Compose on docker-compose.yml, with the emulators and the pipeline. @returns its standard output */
export function compose(
  client: ComposeClient,
  args: readonly string[],
  options?: DockerOptions,
  envFile: EnvFile = "compose.env",
): Promise<string> {
  const [command, ...first] = client;
  const all = [...first, "--env-file", join("local", envFile), ...args];
  return runClient(command, all, { ...options, cwd: repositoryRoot });
}

async function versionOf(client: ComposeClient, engine: Engine): Promise<string | undefined> {
  const [command, ...first] = client;
  try {
    return (await runClient(command, [...first, "version", "--short"], onEngine(engine))).trim();
  } catch (error) {
    if (error instanceof DockerError || error instanceof NoEngineError) return undefined;
    throw error;
  }
}

/**
 * Finds Compose; installs it where that needs no password.
 * @throws CannotTestError when it cannot be installed or does not work
 */
export async function ensureCompose(engine: Engine, say: (line: string) => void): Promise<ComposeClient> {
  for (const client of CLIENTS) {
    const version = await versionOf(client, engine);
    if (version === undefined) continue;
    say(`Compose ${version}`);
    return client;
  }
  await ensureCommands({ "docker-compose": "docker-compose" }, say);
  const client = CLIENTS[1];
  const version = await versionOf(client, engine);
  if (version === undefined) throw new CannotTestError("docker-compose does not work here");
  say(`Compose ${version}`);
  return client;
}
