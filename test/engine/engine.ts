import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { awaitReady } from "@eventlogger/process/readiness";
import { aptInstall } from "../setup/aptInstall";
import { engineVersion, NoEngineError, type DockerOptions } from "@eventlogger/tools/images/docker";

const READY_LIMIT_MS = 120_000;

/** A Docker Engine for tests. */
export interface Engine {
  readonly version: string;
  /** Environment variables by which docker finds it. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether it was started only for the tests. */
  readonly ownEngine: boolean;
  /** Stops it, if it was started for the tests. */
  stop(): Promise<void>;
}

/** This machine cannot run tests on a Docker Engine; the message tells why and what to do. */
export class CannotTestError extends Error {
  constructor(why: string) {
    super(why);
    this.name = "CannotTestError";
  }
}

const onPath = (command: string): boolean => spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;
const isRoot = (): boolean => process.getuid?.() === 0;

/**
 * Installs the Debian packages of missing commands.
 * @param packages command to package
 * @throws CannotTestError when a package cannot be installed
 */
export async function ensureCommands(
  packages: Readonly<Record<string, string>>,
  say: (line: string) => void,
): Promise<void> {
  const missing = Object.keys(packages).filter((command) => !onPath(command));
  if (missing.length === 0) return;
  const names = [...new Set(missing.map((command) => packages[command] as string))];
  const lack = `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} missing (apt-get install ${names.join(" ")})`;
  say(`installing ${names.join(", ")} with apt-get`);
  const problem = await aptInstall(names, () => {});
  if (problem !== undefined) throw new CannotTestError(`${lack}; ${problem}`);
  const still = missing.filter((command) => !onPath(command));
  if (still.length) throw new CannotTestError(`${names.join(", ")} did not install ${still.join(" and ")}`);
}

/** The version of the engine that docker finds without help; undefined when there is none. */
async function runningEngine(): Promise<string | undefined> {
  try {
    return await engineVersion();
  } catch (error) {
    if (error instanceof NoEngineError) return undefined;
    throw error;
  }
}

/** Unmounts everything that an engine has left mounted below a folder, such as its network namespace. */
function unmountAll(folder: string): void {
  const points = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((point) => point.startsWith(`${folder}/`));
  for (const point of points.reverse()) spawnSync("umount", [point]);
}

async function startPrivateEngine(directory: string, say: (line: string) => void): Promise<Engine> {
  if (!isRoot()) throw new CannotTestError("no Docker Engine is running, and starting one needs root");
  await ensureCommands({ docker: "docker.io", dockerd: "docker.io" }, say);
  say("starting a Docker Engine for these tests");
  const own = join(directory, "engine");
  mkdirSync(own, { recursive: true });
  const socket = join(own, "docker.sock");
  const env = { DOCKER_HOST: `unix://${socket}` };
  const child: ChildProcess = await startChildProcess({
    name: "dockerd",
    command: "dockerd",
    args: [
      ...["--data-root", join(own, "data"), "--exec-root", join(own, "exec")],
      ...["--host", env.DOCKER_HOST, "--pidfile", join(own, "docker.pid")],
    ],
    logFile: join(own, "dockerd.log"),
  });
  const up = async (): Promise<boolean> => existsSync(socket) && (await engineVersion({ env }).catch(() => "")) !== "";
  try {
    await awaitReady(child, up, READY_LIMIT_MS);
  } catch (error) {
    throw new CannotTestError(`a Docker Engine does not start on this machine: ${(error as Error).message}`);
  }
  const stop = async (): Promise<void> => {
    await child.stop(30_000);
    unmountAll(own);
  };
  return { version: await engineVersion({ env }), env, ownEngine: true, stop };
}

/**
 * Returns the running engine, or starts one for the tests, which needs root.
 * @param directory for the data of the engine
 * @throws CannotTestError when no engine can be started
 */
export async function findOrStartEngine(directory: string, say: (line: string) => void): Promise<Engine> {
  const version = await runningEngine();
  if (version !== undefined) return { version, env: {}, ownEngine: false, stop: async () => {} };
  return startPrivateEngine(directory, say);
}

/** Options of the docker command to use an engine. */
export const onEngine = ({ env }: Engine): DockerOptions => ({ env });
