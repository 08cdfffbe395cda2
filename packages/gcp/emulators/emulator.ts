/**
 * Runs one emulator in the foreground, as a container needs it:
 * `node packages/gcp/dist/emulators/emulator.js pubsub|bigquery`. SIGTERM and SIGINT stop it; after 5 s it is killed.
 */
import { spawn } from "node:child_process";
import yargs from "yargs";
import { runMain } from "@eventlogger/process/main";
import { onStopSignals } from "@eventlogger/process/stopSignals";
import { ConfigError, readOptions, wholeNumber, yargsOptions, type OptionSpecs } from "@eventlogger/options/options";
import { projectOption } from "../gcpOptions";
import { bigQueryEmulatorProgram, pubSubEmulatorProgram, type Program } from "./emulators";

const port = (describe: string, value: number) =>
  ({ type: "number", describe, default: value, check: wholeNumber(1, 65_535) }) as const;

const options = {
  host: { type: "string", describe: "Address to listen on", default: "127.0.0.1" },
  pubsubPort: port("Port of the Pub/Sub emulator (gRPC and REST)", 8085),
  bigqueryPort: port("Port of the BigQuery REST API", 9050),
  bigqueryGrpcPort: port("Port of the BigQuery Storage API", 9060),
  dataDir: {
    type: "string",
    describe: "Folder for BigQuery tables. The Pub/Sub emulator stores nothing",
    default: ".bigquery",
  },
  ...projectOption,
} as const satisfies OptionSpecs;

const EMULATORS = ["pubsub", "bigquery"] as const;
const FAILED = 1;
/** The BigQuery emulator waits for requests in flight without a limit. A kill is safe: DuckDB logs its commits. */
const STOP_GRACE_MS = 5000;

/** @returns the exit code: 0 after a stop signal, otherwise that of the emulator */
function runInForeground({ command, args, cwd, env }: Program): Promise<number> {
  const child = spawn(command, [...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const stop = onStopSignals({
    onStop: (signal) => {
      child.kill(signal);
      setTimeout(() => {
        process.stderr.write(
          `the emulator did not exit within ${STOP_GRACE_MS / 1000} s after ${signal}: killing it\n`,
        );
        child.kill("SIGKILL");
      }, STOP_GRACE_MS).unref();
    },
    beforeExit: () => void child.kill("SIGKILL"),
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (!stop.signal.aborted) {
        process.stderr.write(`the emulator exited unexpectedly (${signal ?? `exit code ${code}`})\n`);
      }
      resolve(stop.signal.aborted ? 0 : code || FAILED);
    });
  });
}

async function main(): Promise<number> {
  const flags = yargs(process.argv.slice(2))
    .scriptName("node packages/gcp/dist/emulators/emulator.js")
    .usage("$0 <pubsub|bigquery> [options]\n\nRuns an emulator in the foreground.")
    .options(yargsOptions(options))
    .example("$0 pubsub --host 0.0.0.0", "listens on all interfaces, port 8085")
    .example("$0 bigquery --data-dir /data", "stores the tables in /data")
    .strictOptions()
    .version(false)
    .wrap(110)
    .parseSync();
  const o = readOptions(options, flags);
  const [name, ...more] = flags._;
  if (!EMULATORS.some((known) => known === name) || more.length) {
    throw new ConfigError([`one emulator is required: ${EMULATORS.join(" or ")}`]);
  }
  return runInForeground(
    name === "pubsub"
      ? await pubSubEmulatorProgram(o.host, o.pubsubPort)
      : await bigQueryEmulatorProgram({ ...o, port: o.bigqueryPort, grpcPort: o.bigqueryGrpcPort }),
  );
}

runMain(main);
