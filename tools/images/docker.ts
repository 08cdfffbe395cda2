import { spawn } from "node:child_process";
import { stripVTControlCharacters } from "node:util";

/** The docker command is missing or finds no engine; the message tells what to do. */
export class NoEngineError extends Error {
  constructor(problem: string) {
    super(
      `${problem}. Building images needs a Docker Engine: https://docs.docker.com/engine/install ` +
        `(on Debian: apt-get install docker.io). Set DOCKER_HOST to use a remote one`,
    );
    this.name = "NoEngineError";
  }
}

/** A docker command failed; the message contains the end of its output. */
export class DockerError extends Error {
  constructor(command: string, code: number | null, output: string) {
    const end = stripVTControlCharacters(output).trimEnd().split("\n").slice(-25).join("\n");
    super(`${command} failed (exit code ${code}):\n${end}`);
    this.name = "DockerError";
  }
}

export interface DockerOptions {
  /** Added to the environment, such as DOCKER_HOST. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly onLine?: (line: string) => void;
}

/**
 * Runs a docker command.
 * @returns its standard output
 * @throws NoEngineError when the docker command is missing; DockerError when it fails
 */
export function docker(args: readonly string[], options?: DockerOptions): Promise<string> {
  return runClient("docker", args, options);
}

/**
 * Runs a command that uses an engine, such as docker or docker-compose.
 * @returns its standard output
 * @throws NoEngineError when the command is missing; DockerError when it fails
 */
export async function runClient(
  command: string,
  args: readonly string[],
  options: DockerOptions = {},
): Promise<string> {
  const child = spawn(command, [...args], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
  });
  let stdout = "";
  let output = "";
  let partLine = "";
  const take = (chunk: string): void => {
    output = (output + chunk).slice(-100_000);
    const lines = (partLine + chunk).split("\n");
    partLine = lines.pop() ?? "";
    for (const line of lines) options.onLine?.(line);
  };
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
    take(chunk);
  });
  child.stderr.setEncoding("utf8").on("data", take);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? new NoEngineError(`The ${command} command is missing`) : error),
    );
    child.once("close", resolve);
  });
  if (code !== 0) throw new DockerError(`${command} ${args[0]}`, code, output);
  return stdout;
}

/**
 * Returns the version of the engine.
 * @throws NoEngineError when docker finds no engine
 */
export async function engineVersion(options: DockerOptions = {}): Promise<string> {
  try {
    return (await docker(["version", "--format", "{{.Server.Version}}"], options)).trim();
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    const why = error.message
      .trimEnd()
      .split("\n")
      .at(-1)
      ?.replace(/[.?!]+$/, "");
    throw new NoEngineError(`docker finds no engine (${why})`);
  }
}
