import { pino } from "pino";
import yargs from "yargs";
import { ConfigError, readOptions, yargsOptions } from "@eventlogger/options/options";
import { ingestOptions, ingestOptionsProblems, type IngestOptions } from "./options";
import { startReplica } from "./replica";

/** Exit codes: 0 stopped in order, 1 failed or cut short, 2 wrong configuration. */
async function main(): Promise<void> {
  const options = configuration();
  const logger = pino({ level: options.logLevel, base: { service: "ingest", pid: process.pid } });
  const replica = await startReplica(options, logger);
  logger.info({ host: options.host, port: replica.port, topic: options.topic, dataset: options.dataset }, "listening");

  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) {
      logger.warn({ signal }, "second signal: stopping at once");
      process.exit(1);
    }
    stopping = true;
    logger.info({ signal, drainTimeoutMs: options.drainTimeout }, "stopping");
    replica.stop().then(
      (clean) => {
        if (clean) logger.info("stopped");
        else logger.error("stopped by force: not everything was answered within the drain timeout");
        process.exit(clean ? 0 : 1);
      },
      (error: unknown) => {
        logger.error({ err: error }, "stopping failed");
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  // Without keys it ends the process, as ever: a terminal that closes leaves no service behind.
  if (options.writeKeysFile ?? options.readKeysFile) {
    process.on("SIGHUP", (signal) => {
      logger.info({ signal }, "reading the keys");
      void replica.reloadKeys();
    });
  }
}

function configuration(): IngestOptions {
  const flags = yargs(process.argv.slice(2))
    .scriptName("ingest")
    .usage("$0 [options]\n\nTakes events over HTTP, publishes them to Pub/Sub, and serves the daily rollups.")
    .options(yargsOptions(ingestOptions))
    .example("$0 --port 3001", "one replica on port 3001")
    .example("PUBSUB_EMULATOR_HOST=127.0.0.1:8085 $0 --bigquery-endpoint http://127.0.0.1:9050", "with emulators")
    .epilogue(
      "SIGTERM or SIGINT stops it: what is under way is answered first. A second one stops it at once. SIGHUP reads the keys.",
    )
    .strict()
    .version(false)
    .wrap(110)
    .parseSync();
  return readOptions(ingestOptions, flags, process.env, ingestOptionsProblems);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof ConfigError ? error.message : ((error as Error).stack ?? String(error))}\n`);
  process.exit(error instanceof ConfigError ? 2 : 1);
});
