import { pino } from "pino";
import yargs from "yargs";
import { ConfigError, readOptions, yargsOptions } from "@eventlogger/options/options";
import { ingestOptions, ingestOptionsProblems, type IngestOptions } from "./options";
import { startReplica } from "./replica";

/** Exit codes: 0 stopped gracefully, 1 failed or stopped by force, 2 invalid configuration. */
async function main(): Promise<void> {
  const options = configuration();
  const logger = pino({ level: options.logLevel, base: { service: "ingest", pid: process.pid } });
  const replica = await startReplica(options, logger);
  const { host, project, topic, dataset } = options;
  const { port, pubsub, bigquery } = replica;
  logger.info({ host, port, project, pubsub, topic, bigquery, dataset }, "listening");

  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) {
      logger.warn({ signal }, "second signal: stopping immediately");
      process.exit(1);
    }
    stopping = true;
    logger.info({ signal, drainTimeoutMs: options.drainTimeout }, "stopping");
    replica.stop().then(
      (clean) => {
        if (clean) logger.info("stopped");
        else logger.error("stopped by force: some requests were not answered within the drain timeout");
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
  // Without key files SIGHUP keeps its default action, so closing the terminal stops the service.
  if (options.writeKeysFile ?? options.readKeysFile) {
    process.on("SIGHUP", (signal) => {
      logger.info({ signal }, "reloading the key files");
      void replica.reloadKeys();
    });
  }
}

function configuration(): IngestOptions {
  const flags = yargs(process.argv.slice(2))
    .scriptName("ingest")
    .usage("$0 [options]\n\nAccepts events over HTTP, publishes them to Pub/Sub, and serves the daily rollups.")
    .options(yargsOptions(ingestOptions))
    .example("$0 --port 3001", "one replica on port 3001")
    .example("PUBSUB_EMULATOR_HOST=127.0.0.1:8085 $0 --bigquery-endpoint http://127.0.0.1:9050", "with emulators")
    .epilogue(
      "SIGTERM or SIGINT stops the service after it has answered the requests in flight. A second signal stops it immediately. SIGHUP reloads the key files.",
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
