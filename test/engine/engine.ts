import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { awaitReady } from "@eventlogger/process/readiness";
import { engineVersion, NoEngineError, type DockerOptions } from "@eventlogger/tools/images/docker";

const READY_WITHIN_MS = 60_000;

/** A Docker Engine for tests. */
export interface Engine {
  readonly version: string;
  /** How docker finds it. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether it was started for the tests alone. */
  readonly ownEngine: boolean;
  /** Stops it, if it was started for the tests. */
  stop(): Promise<void>;
}

/** What a machine lacks for tests on an engine; the message says what to do. */
export class CannotTestError extends Error {
  constructor(why: string) {
    super(why);
    this.name = "CannotTestError";
  }
}

const onPath = (command: string): boolean => spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;
const isRoot = (): boolean => process.getuid?.() === 0;

/**
 * Installs Debian packages for commands that are missing; says so.
 * @throws CannotTestError when that is not possible
 */
export function ensureCommands(packages: Readonly<Record<string, string>>, say: (line: string) => void): void {
  const missing = Object.keys(packages).filter((command) => !onPath(command));
  if (missing.length === 0) return;
  const names = [...new Set(missing.map((command) => packages[command] as string))];
  const lack = `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} missing (apt-get install ${names.join(" ")})`;
  if (!isRoot()) throw new CannotTestError(`${lack}, and installing takes root`);
  if (!onPath("apt-get")) throw new CannotTestError(`${lack}, and there is no apt-get here`);
  say(`installing ${names.join(", ")} with apt-get`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [["update"], ["install", "--yes", "--no-install-recommends", ...names]]) {
    const { status, stderr } = spawnSync("apt-get", args, { env, encoding: "utf8" });
    if (status !== 0) {
      throw new CannotTestError(`${lack}; apt-get ${args[0]} failed: ${stderr.trim().split("\n").at(-1)}`);
    }
  }
  const still = missing.filter((command) => !onPath(command));
  if (still.length) throw new CannotTestError(`${still.join(" and ")} did not come with ${names.join(", ")}`);
}

/** Whether docker finds an engine by itself. */
async function runningEngine(): Promise<string | undefined> {
  try {
    return await engineVersion();
  } catch (error) {
    if (error instanceof NoEngineError) return undefined;
    throw error;
  }
}

/** Unmounts what an engine has left mounted below a folder, such as its network namespace. */
function unmountAll(folder: string): void {
  const points = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((point) => point.startsWith(`${folder}/`));
  for (const point of points.reverse()) spawnSync("umount", [point]);
}

async function startPrivateEngine(directory: string, say: (line: string) => void): Promise<Engine> {
  if (!isRoot()) throw new CannotTestError("no Docker Engine runs here, and starting one takes root");
  ensureCommands({ docker: "docker.io", dockerd: "docker.io" }, say);
  say("starting a Docker Engine for these tests alone");
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
    await awaitReady(child, up, READY_WITHIN_MS);
  } catch (error) {
    throw new CannotTestError(`a Docker Engine does not start here: ${(error as Error).message}`);
  }
  const stop = async (): Promise<void> => {
    await child.stop(30_000);
    unmountAll(own);
  };
  return { version: await engineVersion({ env }), env, ownEngine: true, stop };
}

/**
 * The engine that docker finds; where there is none, one that is started for the tests (which takes root).
 * @param directory for its data
 * @throws CannotTestError when there is no way
 */
export async function findOrStartEngine(directory: string, say: (line: string) => void): Promise<Engine> {
  const version = await runningEngine();
  if (version !== undefined) return { version, env: {}, ownEngine: false, stop: async () => {} };
  return startPrivateEngine(directory, say);
}

/** Options for the docker command that lead to an engine. */
export const onEngine = ({ env }: Engine): DockerOptions => ({ env });
