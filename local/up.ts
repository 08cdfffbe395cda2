import yargs from "yargs";
import { ConfigError, readOptions, wholeNumber, yargsOptions, type OptionSpecs } from "@eventlogger/options/options";
import { colours } from "@eventlogger/options/terminal";
import { checkPrerequisites } from "@eventlogger/gcp/emulators/prerequisites";
import { startStack, type Stack } from "./stack/stack";

const options = {
  port: {
    type: "number",
    describe: "Where events are posted to",
    default: 3000,
    check: wholeNumber(1, 65_535),
  },
  localDir: { type: "string", describe: "Logs and data; emptied at each start", default: ".local" },
} as const satisfies OptionSpecs;

const FAILED = 1;
const WRONG_USE = 2;

function curlExample(url: string): string {
  const event = { type: "event", session_id: "s-1", user_id: "u-1", event_name: "signup" };
  const body = JSON.stringify(event).replace("}", ",\"event_time\":'$(date +%s)'}");
  return `curl -i ${url}/event/ -H 'Content-Type: application/json' -d '${body}'`;
}

/** Tells the time of each line since the start. */
function progress(): (line: string) => void {
  const { dim } = colours(process.stdout);
  const startedAt = Date.now();
  return (line) => {
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(1).padStart(6);
    process.stdout.write(`${dim(`${seconds} s`)}  ${line}\n`);
  };
}

/** A stack that npm started ends with npm, also where npm is killed or its shell passes no signals on. */
function watchParent(onGone: () => void): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) onGone();
  }, 500).unref();
}

async function run({ port, localDir }: { port: number; localDir: string }): Promise<number> {
  const { red, green } = colours(process.stdout);
  const say = progress();
  const interrupt = new AbortController();
  let stack: Stack | undefined;
  const interrupted = new Promise<string>((resolve) => {
    const stopFor = (reason: string): void => {
      if (interrupt.signal.aborted) return;
      say(`${reason}: stopping everything`);
      interrupt.abort(new Error(reason));
      resolve(reason);
    };
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => stopFor(name));
    if (process.env["npm_lifecycle_event"]) watchParent(() => stopFor("npm has ended"));
  });
  say(`starting from empty data; logs in ${localDir}/logs`);
  try {
    await checkPrerequisites();
    stack = await startStack({ port, localDir, onProgress: say, signal: interrupt.signal });
    process.stdout.write(
      `${green("ready")} ${stack.url}\n\nSend an event, and read the numbers some seconds later:\n` +
        `  ${curlExample(stack.url)}\n  curl ${stack.url}/event/\n\nCtrl-C stops everything.\n`,
    );
    const end = await Promise.race([interrupted, stack.failed]);
    if (end instanceof Error) throw end;
    await stack.stop();
    say("everything is stopped");
    return 0;
  } catch (error) {
    if (interrupt.signal.aborted) {
      say("everything is stopped");
      return 0;
    }
    process.stderr.write(`${red("error:")} ${error instanceof Error ? error.message : String(error)}\n`);
    await stack?.stop();
    return FAILED;
  }
}

async function main(): Promise<number> {
  try {
    const flags = yargs(process.argv.slice(2))
      .scriptName("npm run up --")
      .usage("$0 [options]\n\nStarts emulators, pipeline, two ingest replicas and nginx on this machine.")
      .options(yargsOptions(options))
      .example("npm run up", "serves http://localhost:3000")
      .example("PORT=4000 LOCAL_DIR=.local-2 npm run up", "a second one beside it")
      .strict()
      .version(false)
      .parseSync();
    return await run(readOptions(options, flags));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return WRONG_USE;
  }
}

// Whoever read the output may be gone; what was started is stopped all the same.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

void main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
    process.exit(FAILED);
  },
);
