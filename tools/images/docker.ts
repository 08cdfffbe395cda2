import { spawn } from "node:child_process";
import { stripVTControlCharacters } from "node:util";

/** There is no docker command, or no engine behind it; the message says what to do. */
export class NoEngineError extends Error {
  constructor(problem: string) {
    super(
      `${problem}. Images are built by a Docker Engine: https://docs.docker.com/engine/install ` +
        `(on Debian: apt-get install docker.io); DOCKER_HOST names one elsewhere`,
    );
    this.name = "NoEngineError";
  }
}

/** A docker command failed; the message has the end of what it said. */
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
 * @throws NoEngineError when there is no docker command; DockerError
 */
export function docker(args: readonly string[], options?: DockerOptions): Promise<string> {
  return runClient("docker", args, options);
}

/**
 * Runs a client of an engine, such as docker.
 * @returns its standard output
 * @throws NoEngineError when there is no such command; DockerError
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
      reject(error.code === "ENOENT" ? new NoEngineError(`There is no ${command} command`) : error),
    );
    child.once("close", resolve);
  });
  if (code !== 0) throw new DockerError(`${command} ${args[0]}`, code, output);
  return stdout;
}

/**
 * The version of the engine that docker finds.
 * @throws NoEngineError when it finds none
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
