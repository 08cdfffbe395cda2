#!/usr/bin/env node
/** `eventlogger worker-pool` alone, for the worker image, which does not contain the other commands. */
import yargs from "yargs";
import { yargsOptions } from "@eventlogger/options/options";
import { runMain } from "@eventlogger/process/main";
import { workerPoolCommand } from "./commands/workerPool";
import { readCommandLine } from "./readCommandLine";

async function main(args: readonly string[]): Promise<number> {
  const { options } = workerPoolCommand;
  const argv = await yargs(["worker-pool", ...args])
    .scriptName("eventlogger-worker-pool")
    .locale("en")
    .usage("$0 [options]\n\nStart workers for a TaskManager of a Flink cluster.")
    .options(yargsOptions(options))
    .version(false)
    .parseAsync();
  return workerPoolCommand.run(readCommandLine(options, argv), "", []);
}

runMain(() => main(process.argv.slice(2)));
