import "../sdk";
import { createRequire } from "node:module";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "apache-beam/worker/worker";
import { onStopSignals } from "@eventlogger/process/stopSignals";
import { endWorker, onWorkerGone, watchControlStream, workerStats } from "../patches/control";

/** Time for sources to nack the messages that they hold, ms. */
const NACK_MS = 1500;

/** Options of {@link serve}, which a runner passes to its worker. */
export interface ServeOptions {
  /** Id that the runner has given the worker. */
  readonly id: string;
  /** `host:port` of the control service of the runner. */
  readonly controlUrl: string;
  /** Names of the registered modules of the pipeline. */
  readonly modules: readonly string[];
  /** Folder from which the modules are resolved. */
  readonly requireFrom: string;
}

/** A module of the pipeline cannot be loaded. Launcher and worker must run the same version of the code. */
export class ModuleNotLoadedError extends Error {
  constructor(module: string, requireFrom: string, cause: unknown) {
    super(
      `Cannot load the module ${module}, which the pipeline uses, from ${requireFrom}: ` +
        `${cause instanceof Error ? cause.message : String(cause)}. Worker and launcher must have the same version`,
      { cause },
    );
    this.name = "ModuleNotLoadedError";
  }
}

function loadModules(modules: readonly string[], requireFrom: string): void {
  const requireModule = createRequire(path.join(requireFrom, "noop.js"));
  for (const name of modules) {
    if (name === "apache-beam" || name.startsWith("apache-beam/")) continue;
    try {
      requireModule(name);
    } catch (cause) {
      throw new ModuleNotLoadedError(name, requireFrom, cause);
    }
  }
}

/**
 * Serves one runner in this process: loads the modules, connects, and runs bundles. The first SIGTERM stops it gracefully,
 * the second one exits immediately. Resolves when the control stream has ended and sources had time to nack their messages.
 * @throws ModuleNotLoadedError when a module of the pipeline cannot be loaded
 */
export async function serve({ id, controlUrl, modules, requireFrom }: ServeOptions): Promise<void> {
  // The SDK logs each bundle with console.debug.
  console.debug = () => {};
  loadModules(modules, requireFrom);
  const worker = new Worker(id, { controlUrl });
  watchControlStream(worker);
  console.info(`worker ${id} (process ${process.pid}) serves ${controlUrl}`);
  const gone = new Promise<Error>((resolve) => onWorkerGone(resolve, worker));
  onStopSignals({ signals: ["SIGTERM"], onStop: (signal) => void endWorker(worker, signal) });
  const { message } = await gone;
  console.info(`worker ${id} stops: ${message}; ${JSON.stringify(workerStats)}`);
  await sleep(NACK_MS);
}
