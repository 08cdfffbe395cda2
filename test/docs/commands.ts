import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { MarkdownPage } from "./markdown";
import type { Repository } from "./repository";
import { shellCommands } from "./shell";

const SHELL_LANGUAGES = new Set(["sh", "bash", "shell", "console"]);
const CLI = "pipeline/bin/eventlogger.js";
const PLACEHOLDER = /^[A-Z][A-Z0-9_]*$|[<>…]/;
const HELP_TIMEOUT_MS = 60_000;

/** Prints the help of a program; the path of its JavaScript file and the words in front of `--help`. */
export type ReadHelp = (program: string, words: readonly string[]) => Promise<string>;

/** Runs each program with `--help` once, without any service behind it. Rejects when the exit code is not 0. */
export function helpReader(root: string): ReadHelp {
  const known = new Map<string, Promise<string>>();
  return (program, words) => {
    const key = [program, ...words].join(" ");
    let help = known.get(key);
    if (help) return help;
    help = new Promise((resolve, reject) => {
      const args = [join(root, program), ...words, "--help"];
      execFile(process.execPath, args, { cwd: root, timeout: HELP_TIMEOUT_MS }, (error, stdout, stderr) => {
        if (error) reject(new Error(`${key} --help failed: ${error.message}\n${stderr}`));
        else resolve(stdout + stderr);
      });
    });
    known.set(key, help);
    return help;
  };
}

/** The commands that a page shows: those of its shell blocks, and code spans that begin like one. */
export function commandsOf({ codeBlocks, codeSpans }: MarkdownPage): string[][] {
  const blocks = codeBlocks.filter(({ language }) => SHELL_LANGUAGES.has(language)).map(({ text }) => text);
  const spans = codeSpans.filter((span) => /^(npm|npx|node) /.test(span));
  return [...blocks, ...spans].flatMap(shellCommands);
}

function npmProblem(repository: Repository, [, ...words]: readonly string[]): string | undefined {
  const end = words.indexOf("--");
  const own = end < 0 ? words : words.slice(0, end);
  const workspaces: string[] = [];
  const rest: string[] = [];
  for (let i = 0; i < own.length; i++) {
    const word = own[i] ?? "";
    if (word === "-w" || word === "--workspace") workspaces.push(own[++i] ?? "");
    else if (!word.startsWith("-")) rest.push(word);
  }
  const missing = workspaces.find((folder) => !repository.manifest(folder));
  if (missing !== undefined) return `${missing} is not a package`;
  const [verb = "", argument = ""] = rest;
  const script = verb === "run" ? argument : verb === "test" ? "test" : undefined;
  if (script === undefined || PLACEHOLDER.test(script)) return undefined;
  const pattern = new RegExp(`^${script.replace(/[.+?^$()|[\]\\{}]/g, "\\$&").replace(/\*/g, ".*")}$`);
  for (const folder of workspaces.length > 0 ? workspaces : [""]) {
    const scripts = Object.keys(repository.manifest(folder)?.scripts ?? {});
    if (!scripts.some((name) => pattern.test(name))) {
      return `${folder ? `${folder}/` : ""}package.json has no script ${JSON.stringify(script)}`;
    }
  }
  return undefined;
}

/** The flags in the output of `--help`. */
const flagsIn = (help: string): ReadonlySet<string> => new Set(help.match(/--[a-z][a-z0-9-]*/g) ?? []);

function unknownFlag(words: readonly string[], help: string): string | undefined {
  const flags = flagsIn(help);
  return words
    .map((word) => /^(--[A-Za-z][\w-]*)/.exec(word)?.[1])
    .find((flag) => flag !== undefined && flag !== "--help" && !flags.has(flag) && !flags.has(positive(flag)));
}

/** `--no-check` is the negation of `--check`. */
const positive = (flag: string): string => flag.replace(/^--no-/, "--");

/** The commands of the command line, from its help. */
export async function cliCommands(readHelp: ReadHelp): Promise<string[]> {
  const help = await readHelp(CLI, []);
  return [...help.matchAll(/^\s+eventlogger ([a-z][a-z-]*) /gm)].map(([, name = ""]) => name);
}

async function cliProblem(words: readonly string[], readHelp: ReadHelp): Promise<string | undefined> {
  const [command, ...rest] = words;
  const general = await readHelp(CLI, []);
  if (command === undefined || PLACEHOLDER.test(command)) return undefined;
  if (command.startsWith("-")) {
    const flag = unknownFlag(words, general);
    return flag && `eventlogger has no option ${flag}`;
  }
  if (!(await cliCommands(readHelp)).includes(command)) return `eventlogger has no command ${command}`;
  const flag = unknownFlag(rest, await readHelp(CLI, [command]));
  return flag && `eventlogger ${command} has no option ${flag}`;
}

async function programProblem(
  repository: Repository,
  [program = "", ...words]: readonly string[],
  readHelp: ReadHelp,
): Promise<string | undefined> {
  if (PLACEHOLDER.test(program) || !/^[\w./-]+\.[cm]?js$/.test(program)) return undefined;
  if (program.endsWith(CLI)) return cliProblem(words, readHelp);
  if (!existsSync(join(repository.root, program))) return `there is no program ${program}`;
  const flag = unknownFlag(words, await readHelp(program, []));
  return flag && `${program} has no option ${flag}`;
}

/** What is wrong with a command of a page; undefined for commands of other programs. */
export async function commandProblem(
  repository: Repository,
  words: readonly string[],
  readHelp: ReadHelp,
): Promise<string | undefined> {
  if (words[0] === "npm") return npmProblem(repository, words);
  const npx = words.indexOf("npx");
  if (npx >= 0) {
    const [name, ...rest] = words.slice(npx + 1).filter((word, i) => i > 0 || !word.startsWith("-"));
    return name === "eventlogger" ? cliProblem(rest, readHelp) : undefined;
  }
  // Also behind `docker compose exec`.
  const node = words.indexOf("node");
  return node < 0 ? undefined : programProblem(repository, words.slice(node + 1), readHelp);
}
