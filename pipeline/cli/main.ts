import yargs from "yargs";
import { yargsOptions } from "@eventlogger/options/options";
import { exitCodeOf, runMain, UserError } from "@eventlogger/process/main";
import { commands, type CommandEntry } from "./commands/commands";
import type { Command } from "./commands/command";
import { colours } from "@eventlogger/options/terminal";
import { WRONG_USE } from "./exitCodes";
import { closest, readCommandLine } from "./readCommandLine";

/** Maximum width of `--help`; columns. */
const HELP_WIDTH = 100;

const VARIABLES =
  "Each option can also be set with the environment variable in brackets. A flag wins over its variable.";

const { red, dim } = colours(process.stderr);

/** The command line names no command of `eventlogger`, or yargs cannot parse it. */
class UsageError extends UserError {
  constructor(message: string) {
    super(message, { exitCode: WRONG_USE });
    this.name = "UsageError";
  }
}

/** Prints an error. @returns the exit code */
function fail(error: unknown, command: CommandEntry | undefined): number {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${red("error:")} ${message}\n`);
  const exitCode = exitCodeOf(error);
  if (exitCode === WRONG_USE) {
    const help = command ? `eventlogger ${command.name} --help` : "eventlogger --help";
    process.stderr.write(`${dim(`See ${help}`)}\n`);
  } else if (process.env.DEBUG && error instanceof Error) {
    process.stderr.write(`${dim(error.stack ?? "")}\n`);
  }
  return exitCode;
}

/** The examples of a command for `--help`: each command line in full, its effect below. */
function examplesText({ examples }: Command): string {
  const lines = examples.map(([line, effect]) => `  ${line.replaceAll("$0", "eventlogger")}\n      ${effect}`);
  return `Examples:\n${lines.join("\n")}`;
}

function unknownCommand(name: string): UsageError {
  const names = commands.map((command) => command.name);
  const near = closest(name, names);
  return new UsageError(
    `unknown command ${JSON.stringify(name)}${near ? `; did you mean ${near}?` : `; the commands are ${names.join(", ")}`}`,
  );
}

/**
 * Takes the action of a command, and the argument of the action, from its arguments.
 * @throws UsageError when the command has actions, and the first argument is not one of them; when its argument is missing
 */
function takeAction(
  name: string,
  { actions, argument, isActionOptional = false, argumentOf = {} }: Command,
  args: readonly (string | number)[],
): { action: string; values: string[]; rest: (string | number)[] } {
  const [own = "", ...rest] = args;
  if (argument !== undefined) {
    const [value, ...others] = rest;
    if (value === undefined) throw new UsageError(`${name} must be followed by ${argument}`);
    return { action: "", values: [String(value)], rest: [own, ...others] };
  }
  if (!actions) return { action: "", values: [], rest: [own, ...rest] };
  const [given = isActionOptional ? actions[0] : undefined, ...others] = rest;
  const action = actions.find((known) => known === given);
  if (action !== undefined) {
    const taken = argumentOf[action] === undefined ? 0 : 1;
    return { action, values: others.slice(0, taken).map(String), rest: [own, ...others.slice(taken)] };
  }
  const problem = given === undefined ? "" : `, not ${JSON.stringify(String(given))}`;
  throw new UsageError(`${name} must be followed by ${actions.join(" or ")}${problem}`);
}

/** The actions of a command for its usage, such as ` <list|resend>` or ` [list|activate N]`. */
function actionsText({ actions, argument, isActionOptional, argumentOf = {} }: Command): string {
  if (argument !== undefined) return ` ${argument}`;
  if (!actions) return "";
  const text = actions
    .map((action) => (argumentOf[action] === undefined ? action : `${action} ${argumentOf[action]}`))
    .join("|");
  return isActionOptional ? ` [${text}]` : ` <${text}>`;
}

/** Loads the commands that the command line can mean: those whose name is one of its words. */
async function loadCommands(args: readonly string[]): Promise<ReadonlyMap<CommandEntry, Command>> {
  const possible = commands.filter(({ name }) => args.includes(name));
  return new Map(await Promise.all(possible.map(async (entry) => [entry, await entry.load()] as const)));
}

async function main(args: readonly string[]): Promise<number> {
  const loaded = await loadCommands(args);
  let chosen: CommandEntry | undefined;
  let result: Promise<number> | undefined;
  let parser = yargs([...args])
    .scriptName("eventlogger")
    .locale("en")
    .usage("$0 <command> [options]\n\nExact daily product analytics from events: Pub/Sub -> Beam -> BigQuery.")
    .example("$0 setup", "creates topics, subscriptions, dataset, tables and views")
    .example("$0 <command> --help", "shows options and examples of a command")
    .epilogue(VARIABLES)
    .version(false)
    // An id that looks like a number keeps its text.
    .parserConfiguration({ "parse-positional-numbers": false })
    .help()
    .alias("help", "h")
    .exitProcess(false)
    .wrap(Math.min(HELP_WIDTH, process.stderr.columns ?? HELP_WIDTH))
    .fail((message: string | null, error: Error | undefined) => {
      throw error ?? new UsageError(message ?? "invalid command line");
    });
  for (const entry of commands) {
    const { name, summary } = entry;
    const command = loaded.get(entry);
    if (!command) {
      parser = parser.command(name, summary);
      continue;
    }
    parser = parser.command(
      name,
      summary,
      (y) => {
        const usage = `$0 ${name}${actionsText(command)} [options]\n\n${summary}.${command.details ? `\n${command.details}` : ""}`;
        y.usage(usage).options(yargsOptions(command.options));
        return y.epilogue(`${examplesText(command)}\n\n${VARIABLES}`);
      },
      (argv) => {
        chosen = entry;
        const check = (options: Readonly<Record<string, unknown>>): readonly string[] => command.check?.(options) ?? [];
        result = Promise.resolve().then(() => {
          const { action, values, rest } = takeAction(name, command, argv._);
          return command.run(
            readCommandLine(command.options, { ...argv, _: rest }, process.env, check),
            action,
            values,
          );
        });
      },
    );
  }
  try {
    const argv = await parser.parseAsync();
    if (result) return await result;
    const [name] = argv._;
    if (argv.help) return 0; // yargs has printed the help
    if (name === undefined) {
      const names = commands.map((command) => command.name).join(", ");
      throw new UsageError(
        args[0] === undefined
          ? `a command is required: ${names}`
          : `the first argument must be a command, not ${JSON.stringify(args[0])}; the commands are ${names}`,
      );
    }
    throw unknownCommand(String(name));
  } catch (error) {
    return fail(error, chosen);
  }
}

runMain(() => main(process.argv.slice(2)));
