import "../sdk";
import { createRequire } from "node:module";
import path = require("node:path");
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "apache-beam/worker/worker";
import { endWorker, onWorkerGone, watchControlStream, workerStats } from "../patches/control";

/** How long sources may take to hand back what they hold. */
const LINGER_MS = 1500;

/** What a runner tells a worker when it starts it. */
export interface ServeOptions {
  readonly id: string;
  /** `host:port` of the runner. */
  readonly controlUrl: string;
  /** Modules whose exports the pipeline refers to. */
  readonly modules: readonly string[];
  /** Folder from which they resolve. */
  readonly requireFrom: string;
}

/** A module that the pipeline refers to cannot be loaded: launcher and worker run different code. */
export class ModuleNotLoadedError extends Error {
  constructor(module: string, requireFrom: string, cause: unknown) {
    super(
      `The pipeline uses the module ${module}, which cannot be loaded from ${requireFrom}: ` +
        `${cause instanceof Error ? cause.message : String(cause)}. Worker and launcher must be of one version`,
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
 * Serves one runner in this process: loads the modules, connects, and works. SIGTERM ends it in order.
 * @returns a promise that resolves when the control stream has ended and sources have had time to hand back what they hold
 * @throws ModuleNotLoadedError
 */
export async function serve({ id, controlUrl, modules, requireFrom }: ServeOptions): Promise<void> {
  // The SDK tells each bundle on console.debug.
  console.debug = () => {};
  loadModules(modules, requireFrom);
  const worker = new Worker(id, { controlUrl });
  watchControlStream(worker);
  console.info(`worker ${id} (process ${process.pid}) serves ${controlUrl}`);
  process.on("SIGTERM", () => void endWorker(worker, "The process was told to stop"));
  const { message } = await new Promise<Error>((resolve) => onWorkerGone(resolve));
  console.info(`worker ${id} ends: ${message}; ${JSON.stringify(workerStats)}`);
  await sleep(LINGER_MS);
}
