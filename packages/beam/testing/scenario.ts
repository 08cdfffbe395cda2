/**
 * Shows what a repair is for: runs the same scenarios in a process that leaves the repair out. A scenario module exports
 * `scenarios`, functions without arguments whose results survive structured cloning.
 */
import { fork } from "node:child_process";
import path = require("node:path");

export type Scenarios = Readonly<Record<string, () => Promise<unknown>>>;

/** How a scenario ended. */
export type Outcome =
  | { readonly ended: "value"; readonly value: unknown }
  | { readonly ended: "error"; readonly message: string }
  | { readonly ended: "hang" }
  | { readonly ended: "crash"; readonly message: string };

const HANG_MS = 2500;

async function outcome(scenario: () => Promise<unknown>): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined;
  const hang = new Promise<Outcome>((resolve) => (timer = setTimeout(() => resolve({ ended: "hang" }), HANG_MS)));
  const end = scenario().then(
    (value): Outcome => ({ ended: "value", value }),
    (error: unknown): Outcome => ({ ended: "error", message: String(error) }),
  );
  const result = await Promise.race([end, hang]);
  clearTimeout(timer);
  return result;
}

/**
 * Runs scenarios in a process of their own, in which the repair is missing. A scenario that takes the process down ends
 * as `crash`; put it last.
 *
 * @param file path of the compiled scenario module
 */
export async function withoutRepair(
  repair: string,
  file: string,
  names: readonly string[],
): Promise<Record<string, Outcome>> {
  const child = fork(__filename, [file, ...names], {
    env: { ...process.env, BEAM_REPAIRS_OFF: repair },
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
