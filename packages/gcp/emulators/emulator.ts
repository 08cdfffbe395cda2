/**
 * Runs one emulator in the foreground, as containers do: `node packages/gcp/dist/emulators/emulator.js pubsub|bigquery`. SIGTERM and
 * SIGINT stop it, by force when it takes too long.
 */
import { spawn } from "node:child_process";
import yargs from "yargs";
import { ConfigError, readOptions, wholeNumber, yargsOptions, type OptionSpecs } from "@eventlogger/options/options";
import { projectOption } from "../gcpOptions";
import { bigQueryEmulatorProgram, pubSubEmulatorProgram, type Program } from "./emulators";

const port = (describe: string, value: number) =>
  ({ type: "number", describe, default: value, check: wholeNumber(1, 65_535) }) as const;

const options = {
  host: { type: "string", describe: "Address to listen on", default: "127.0.0.1" },
  pubsubPort: port("Port of Pub/Sub, gRPC and REST", 8085),
  bigqueryPort: port("Port of BigQuery's REST interface", 9050),
  bigqueryGrpcPort: port("Port of BigQuery's Storage API", 9060),
  dataDir: { type: "string", describe: "Folder for BigQuery's tables; Pub/Sub keeps nothing", default: ".bigquery" },
  ...projectOption,
} as const satisfies OptionSpecs;

const EMULATORS = ["pubsub", "bigquery"] as const;
const WRONG_USE = 2;
const FAILED = 1;
/** BigQuery's waits for requests under way, for ever when one hangs. Its tables are safe: DuckDB logs what it commits. */
const STOP_GRACE_MS = 5000;

/** @returns the exit code: 0 when it was asked to stop, otherwise the emulator's */
function runInForeground({ command, args, cwd, env }: Program): Promise<number> {
  const child = spawn(command, [...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit"],
  });
  let asked = false;
  const stop = (signal: NodeJS.Signals): void => {
    asked = true;
    child.kill(signal);
    setTimeout(() => {
      process.stderr.write(`the emulator has not ended ${STOP_GRACE_MS / 1000} s after ${signal}: it is killed\n`);
      child.kill("SIGKILL");
    }, STOP_GRACE_MS).unref();
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop(signal));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (!asked) process.stderr.write(`the emulator ended by itself (${signal ?? `exit code ${code}`})\n`);
      resolve(asked ? 0 : code || FAILED);
    });
  });
}

async function main(): Promise<number> {
  const flags = yargs(process.argv.slice(2))
    .scriptName("node packages/gcp/dist/emulators/emulator.js")
    .usage("$0 <pubsub|bigquery> [options]\n\nRuns an emulator in the foreground.")
    .options(yargsOptions(options))
    .example("$0 pubsub --host 0.0.0.0", "reached from other machines at port 8085")
    .example("$0 bigquery --data-dir /data", "with tables that stay")
    .strictOptions()
    .version(false)
    .wrap(110)
    .parseSync();
  const o = readOptions(options, flags);
  const [name, ...more] = flags._;
  if (!EMULATORS.some((known) => known === name) || more.length) {
    throw new ConfigError([`say which emulator to run: ${EMULATORS.join(" or ")}`]);
  }
  return runInForeground(
    name === "pubsub"
      ? await pubSubEmulatorProgram(o.host, o.pubsubPort)
      : await bigQueryEmulatorProgram({ ...o, port: o.bigqueryPort, grpcPort: o.bigqueryGrpcPort }),
  );
}

void main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(error instanceof ConfigError ? WRONG_USE : FAILED);
  },
);
