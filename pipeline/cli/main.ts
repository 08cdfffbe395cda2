import yargs from "yargs";
import { ConfigError, yargsOptions } from "@eventlogger/options/options";
import { commands } from "./commands/commands";
import type { Command } from "./commands/command";
import { colours } from "@eventlogger/options/terminal";
import { closest, readCommandLine } from "./readCommandLine";

/** Exit codes: 0 done, 1 failed (or `verify` found a difference), 2 wrong use; 130 stopped by Ctrl-C. */
const FAILED = 1;
const WRONG_USE = 2;

const { red, dim } = colours(process.stderr);

function fail(error: unknown, command: Command | undefined): number {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${red("error:")} ${message}\n`);
  if (error instanceof ConfigError) {
    const help = command ? `eventlogger ${command.name} --help` : "eventlogger --help";
    process.stderr.write(`${dim(`See ${help}`)}\n`);
    return WRONG_USE;
  }
  if (process.env.DEBUG && error instanceof Error) process.stderr.write(`${dim(error.stack ?? "")}\n`);
  return FAILED;
}

async function main(args: readonly string[]): Promise<number> {
  let chosen: Command | undefined;
  let result: Promise<number> | undefined;
  let parser = yargs([...args])
    .scriptName("eventlogger")
    .locale("en")
    .usage("$0 <command> [options]\n\nExact daily product analytics from events: Pub/Sub -> Beam -> BigQuery.")
    .example("$0 setup", "make topics, subscriptions, dataset, tables and views")
    .example("$0 <command> --help", "options and examples of a command")
    .epilogue("Every option can also be given as the environment variable in brackets; a flag wins.")
    .version(false)
    .help()
    .alias("help", "h")
    .exitProcess(false)
    .wrap(Math.min(110, process.stderr.columns ?? 110))
    .fail((message: string | null, error: Error | undefined) => {
      throw error ?? new ConfigError([message ?? "wrong use"]);
    });
  for (const command of commands) {
    parser = parser.command(
      command.name,
      command.summary,
      (y) => {
        const usage = `$0 ${command.name} [options]\n\n${command.summary}.${command.details ? `\n${command.details}` : ""}`;
        y.usage(usage).options(yargsOptions(command.options));
        for (const [line, meaning] of command.examples) y.example(line, meaning);
        return y;
      },
      (argv) => {
        chosen = command;
        const check = (options: Readonly<Record<string, unknown>>): readonly string[] => command.check?.(options) ?? [];
        result = Promise.resolve().then(() => command.run(readCommandLine(command.options, argv, process.env, check)));
      },
    );
  }
  try {
    const argv = await parser.parseAsync();
    if (result) return await result;
    const [name] = argv._;
    if (name === undefined) {
      if (args.length === 0) {
        parser.showHelp("error");
        return WRONG_USE;
      }
      if (argv.help) return 0;
      throw new ConfigError([`a command is needed: ${commands.map((c) => c.name).join(", ")}`]);
    }
    if (argv.help) return 0;
    const near = closest(
      String(name),
      commands.map((c) => c.name),
    );
    throw new ConfigError([
      `there is no command ${JSON.stringify(String(name))}${near ? `; did you mean ${near}?` : ""}`,
    ]);
  } catch (error) {
    return fail(error, chosen);
  }
}

void main(process.argv.slice(2)).then((code) => process.exit(code));
