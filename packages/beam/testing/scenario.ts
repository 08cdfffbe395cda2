/**
 * Shows what a patch fixes: runs the same scenarios in a process without the patch. A scenario module exports
 * `scenarios`: functions without arguments whose results survive structured cloning.
 */
import { fork } from "node:child_process";
import path from "node:path";
import { withTimeout } from "@eventlogger/process/wait";

export type Scenarios = Readonly<Record<string, () => Promise<unknown>>>;

/** How a scenario ended. */
export type Outcome =
  | { readonly ended: "value"; readonly value: unknown }
  | { readonly ended: "error"; readonly message: string }
  | { readonly ended: "hang" }
  | { readonly ended: "crash"; readonly message: string };

const HANG_MS = 2500;

async function outcome(scenario: () => Promise<unknown>): Promise<Outcome> {
  const end = scenario().then(
    (value): Outcome => ({ ended: "value", value }),
    (error: unknown): Outcome => ({ ended: "error", message: String(error) }),
  );
  return withTimeout(end, HANG_MS, "the scenario").catch(() => ({ ended: "hang" }));
}

/**
 * Runs scenarios in a separate process without one or more patches. A scenario that crashes the process has the outcome
 * `crash`; put it last.
 *
 * @param patch names of patches, separated by commas
 * @param file path of the compiled scenario module
 * @param names names of scenarios, in the order they run
 */
export async function withoutPatch(
  patch: string,
  file: string,
  names: readonly string[],
): Promise<Record<string, Outcome>> {
  const child = fork(__filename, [file, ...names], {
    env: { ...process.env, BEAM_PATCHES_OFF: patch },
    execArgv: [],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    serialization: "advanced",
  });
  let stderr = "";
  child.stdout?.resume();
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const outcomes: Record<string, Outcome> = {};
  child.on("message", (message: { name: string; outcome: Outcome }) => (outcomes[message.name] = message.outcome));
  await new Promise((resolve) => child.once("close", resolve));
  for (const name of names) outcomes[name] ??= { ended: "crash", message: stderr.slice(-2000) };
  return outcomes;
}

async function main([file = "", ...names]: string[]): Promise<void> {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { scenarios } = require(path.resolve(file)) as { scenarios: Scenarios };
  for (const name of names) {
    const scenario = scenarios[name];
    if (!scenario) throw new Error(`${file} has no scenario ${name}`);
    const result = await outcome(scenario);
    await new Promise((resolve) => process.send?.({ name, outcome: result }, resolve));
  }
  process.exit(0);
}

if (require.main === module) void main(process.argv.slice(2));
