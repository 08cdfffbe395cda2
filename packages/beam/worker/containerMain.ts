#!/usr/bin/env node
/**
 * The worker in a container. Beam's boot program starts it as `npx apache-beam-worker --id=ID --control_endpoint=…
 * --logging_endpoint=… --options=JSON`. It replaces the SDK's command of that name, which lacks the patches. The pipeline
 * options name the modules of the pipeline, which are resolved from the working directory. Exit codes: 0 after a graceful
 * stop, 1 after an error.
 */
import "../sdk";
import { parseArgs } from "node:util";
import { forwardLogs, type LogForwarding } from "./logging";
import { serve } from "./serve";

/**
 * The modules to load, from the pipeline options that boot passes on: with the option names of the portable API, or nested
 * one level deeper with the names of Dataflow.
 * @throws Error when the options do not name any modules
 */
export function registeredModules(optionsJson: string): string[] {
  type Json = Readonly<Record<string, unknown>>;
  const all = JSON.parse(optionsJson) as Json;
  const options = (all["options"] ?? all) as Json;
  const modules = options["beam:option:registered_node_modules:v1"] ?? options["registered_node_modules"];
  if (Array.isArray(modules) && modules.every((name) => typeof name === "string")) return modules;
  throw new Error(
    "The pipeline options do not name the modules of the pipeline (registered_node_modules): " +
      "the launcher must pass the result of getRegisteredModules() as this option",
  );
}

async function main(): Promise<void> {
  // Boot passes further arguments: the status service and the staged files.
  const { values } = parseArgs({ args: process.argv.slice(2), strict: false });
  const text = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === "string" && value ? value : undefined;
  };
  const id = text("id");
  const controlUrl = text("control_endpoint");
  const loggingUrl = text("logging_endpoint");
  let logs: LogForwarding | undefined;
  const fail = (error: unknown): void => {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (logs) logs.critical(message);
    else console.error(message);
    void Promise.resolve(logs?.close()).finally(() => process.exit(1));
  };
  process.on("uncaughtException", fail);
  try {
    if (!id || !controlUrl) throw new Error("--id and --control_endpoint are required");
    if (loggingUrl) logs = forwardLogs(id, loggingUrl);
    const modules = registeredModules(text("options") ?? "{}");
    await serve({ id, controlUrl, modules, requireFrom: process.cwd() });
    await logs?.close();
    process.exit(0);
  } catch (error) {
    fail(error);
  }
}

if (require.main === module) void main();
