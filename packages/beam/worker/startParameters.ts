import "../sdk";
import { getRegisteredModules } from "apache-beam/serialization";

/**
 * What a launcher tells a worker pool about the workers of its job. It travels in the parameters of the pipeline's external
 * environment: the runner repeats them in each request for a worker.
 */
export interface StartParameters {
  /** Identifies the run. Counters and failures are reported for each job. */
  readonly job: string;
  /** Names of the registered modules of the pipeline. */
  readonly modules: readonly string[];
  /** Environment variables of the workers. A pool accepts only those that it knows. */
  readonly env: Readonly<Record<string, string>>;
  /** Heap limit of a worker, MiB; undefined: that of Node. */
  readonly heapMiB: number | undefined;
}

/** Parameter with an id of the start, from the Java class `ExternalEnvironmentFactory` of this library. */
export const START_PARAMETER = "start";

/** The parameters of an external environment. Java's `ExternalEnvironmentFactory` looks for the name `job`. */
export function encodeStartParameters({ job, modules, env, heapMiB }: StartParameters): Record<string, string> {
  return { job, modules: JSON.stringify(modules), env: JSON.stringify(env), heap: String(heapMiB ?? "") };
}

/** The modules that workers must load, from the process that has built the pipeline. */
export const registeredModules = (): string[] => getRegisteredModules();

/** The request for a worker is not one of this library. Launcher and worker pool must have the same version. */
export class StartParametersError extends Error {
  constructor(problem: string) {
    super(`The request for a worker ${problem}. The worker pool and run must have the same version`);
    this.name = "StartParametersError";
  }
}

/**
 * Reads the parameters of a request.
 * @param allowedEnv names of the environment variables that a launcher may set
 * @throws StartParametersError
 */
export function decodeStartParameters(
  params: Readonly<Record<string, string>>,
  allowedEnv: readonly string[],
): StartParameters {
  const parse = (name: string): unknown => {
    try {
      return JSON.parse(params[name] ?? "null") as unknown;
    } catch {
      return null;
    }
  };
  const { job } = params;
  const [modules, env] = [parse("modules"), parse("env")];
  if (!job) throw new StartParametersError("names no job");
  if (!Array.isArray(modules) || !modules.every((name): name is string => typeof name === "string")) {
    throw new StartParametersError("names no modules");
  }
  if (typeof env !== "object" || env === null) throw new StartParametersError("has no environment");
  for (const [name, value] of Object.entries(env)) {
    if (!allowedEnv.includes(name)) throw new StartParametersError(`sets the environment variable ${name}`);
    if (typeof value !== "string") throw new StartParametersError(`sets ${name} to something that is not a text`);
  }
  const heap = params["heap"] ?? "";
  if (!/^\d*$/.test(heap)) throw new StartParametersError(`has the heap limit "${heap}"`);
  return { job, modules, env: env as Record<string, string>, heapMiB: heap === "" ? undefined : Number(heap) };
}
