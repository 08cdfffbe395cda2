/** `npm run up`: runs everything on this machine until it is stopped. */
import yargs from "yargs";
import { checkPrerequisites } from "@eventlogger/gcp/emulators/prerequisites";
import { ConfigError, readOptions, wholeNumber, yargsOptions, type OptionSpecs } from "@eventlogger/options/options";
import { Progress } from "@eventlogger/options/progress";
import { colours } from "@eventlogger/options/terminal";
import { killRunningChildren } from "@eventlogger/process/childProcess";
import { runMain, UserError } from "@eventlogger/process/main";
import { onStopSignals } from "@eventlogger/process/stopSignals";
import { startStack, type Stack } from "./stack/stack";

const options = {
  port: {
    type: "number",
    describe: "Port of the HTTP service.",
    default: 3000,
    check: wholeNumber(1, 65_535),
  },
  localDir: {
    type: "string",
    describe: "Directory for logs and data. It is emptied at each start.",
    default: ".local",
  },
} as const satisfies OptionSpecs;

const FAILED = 1;
const WRONG_USE = 2;

function curlExample(url: string): string {
  const event = { type: "event", session_id: "s-1", user_id: "u-1", event_name: "signup" };
  const body = JSON.stringify(event).replace("}", ",\"event_time\":'$(date +%s)'}");
  return `curl -i ${url}/event/ -H 'Content-Type: application/json' -d '${body}'`;
}

/** Prints lines with the seconds since the start. */
function timedPrinter(progress: Progress): (line: string) => void {
  const { dim } = colours(process.stdout);
  const startedAt = Date.now();
  return (line) => {
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(1).padStart(6);
    progress.print(`${dim(`${seconds} s`)}  ${line}`);
  };
}

/** Calls `onExit` when the parent process has exited, also when it was killed or its shell passes no signals on. */
function watchParent(onExit: () => void): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) onExit();
  }, 500).unref();
}

async function run({ port, localDir }: { port: number; localDir: string }): Promise<number> {
  const { red, green } = colours(process.stdout);
  const progress = new Progress();
  const print = timedPrinter(progress);
  const interrupt = new AbortController();
  const interrupted = new Promise<void>((resolve) => interrupt.signal.addEventListener("abort", () => resolve()));
  let reportStopped!: () => void;
  const stopped = new Promise<void>((resolve) => (reportStopped = resolve));
  const stopFor = (reason: string): void => {
    if (interrupt.signal.aborted) return;
    print(`${reason}: stopping everything`);
    interrupt.abort(new Error(reason));
  };
  onStopSignals({
    signals: ["SIGINT", "SIGTERM", "SIGHUP"],
    onStop: stopFor,
    // npm repeats the signal of a Ctrl-C, so the second one waits for the graceful stop, too. The third one kills.
    beforeExit: () => stopped,
    exitCode: 0,
  });
  process.once("exit", killRunningChildren);
  if (process.env["npm_lifecycle_event"]) watchParent(() => stopFor("npm has exited"));
  let stack: Stack | undefined;
  print(`starting with empty data; logs are in ${localDir}/logs`);
  try {
    await checkPrerequisites();
    stack = await startStack({ port, localDir, onProgress: print, progress, signal: interrupt.signal });
    progress.print(
      `${green("ready")} ${stack.url}\n\nSend an event, and read the numbers a few seconds later:\n` +
        `  ${curlExample(stack.url)}\n  curl ${stack.url}/event/\n\nCtrl-C stops everything.`,
    );
    const failure = await Promise.race([interrupted, stack.failed]);
    if (failure instanceof Error) throw failure;
    await stack.stop();
    print("everything has stopped");
    return 0;
  } catch (error) {
    if (interrupt.signal.aborted) {
      print("everything has stopped");
      return 0;
    }
    process.stderr.write(`${red("error:")} ${error instanceof Error ? error.message : String(error)}\n`);
    await stack?.stop();
    return FAILED;
  } finally {
    reportStopped();
  }
}

async function main(): Promise<number> {
  const flags = yargs(process.argv.slice(2))
    .scriptName("npm run up --")
    .usage("$0 [options]\n\nStarts the emulators, the pipeline, two ingest replicas and nginx on this machine.")
    .options(yargsOptions(options))
    .example("npm run up", "serves http://localhost:3000")
    .example("PORT=4000 LOCAL_DIR=.local-2 npm run up", "a second one beside it")
    .strict()
    .version(false)
    .parseSync();
  try {
    return await run(readOptions(options, flags));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new UserError(error.message, { exitCode: WRONG_USE });
  }
}

// The reader of the output may be gone. Everything is stopped nevertheless.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

runMain(main);
