/**
 * Runs nginx in front of replicas that are found by name. It looks the names up periodically and reloads nginx only when
 * their addresses have changed.
 */
import { pino, type Logger } from "pino";
import yargs from "yargs";
import { ConfigError, readOptions, yargsOptions } from "@eventlogger/options/options";
import { configOptions, nginxOptions, nginxOptionsProblems, type NginxOptions } from "./options";
import { dnsLookup, Replicas, sameAddresses, systemLookup } from "./replicas";
import { Signals } from "./signals";
import { Nginx, NginxError } from "./supervisor";
import { parseUpstream } from "./upstreams";

/** Exit codes: 0 stopped, 1 failed or stopped immediately, 2 invalid configuration. */
async function main(): Promise<void> {
  const options = configuration();
  const logger = pino({ level: options.logLevel, base: { service: "nginx", pid: process.pid } });
  const signals = new Signals();
  const replicas = new Replicas(
    options.upstreams.flatMap((upstream) => parseUpstream(upstream) ?? []),
    options.dnsServer === undefined ? systemLookup : dnsLookup(options.dnsServer),
    logger,
  );
  const config = configOptions(options);

  let upstreams = await signals.unlessStopped(replicas.addresses());
  if (upstreams?.length === 0) logger.info({ upstreams: options.upstreams }, "waiting for the first replica");
  while (upstreams?.length === 0) {
    await signals.wait(options.resolveInterval);
    signals.takeReload();
    upstreams = await signals.unlessStopped(replicas.addresses());
  }
  if (!upstreams) return;
  const nginx = await Nginx.start({ ...config, upstreams });
  logger.info({ host: options.host, port: options.port, replicas: upstreams.length, upstreams }, "listening");
  void nginx.exited.then(({ code, signal }) => {
    if (signals.stopping) return;
    logger.fatal({ code, signal, log: nginx.tail }, "nginx exited unexpectedly");
    process.exit(1);
  });

  let current = upstreams;
  while (!signals.stopping) {
    await signals.wait(options.resolveInterval);
    const isReloadRequested = signals.takeReload();
    const next = await signals.unlessStopped(replicas.addresses());
    if (!next || (sameAddresses(current, next) && !isReloadRequested)) continue;
    try {
      nginx.reload({ ...config, upstreams: next });
    } catch (error) {
      logger.error({ err: error }, "reload failed: nginx keeps its configuration");
      continue;
    }
    logChange(logger, current, next);
    current = next;
  }
  await stop(nginx, options, logger);
}

function logChange(logger: Logger, before: readonly string[], after: readonly string[]): void {
  const added = after.filter((address) => !before.includes(address));
  const removed = before.filter((address) => !after.includes(address));
  logger.info({ added, removed }, `replicas: ${before.length} -> ${after.length}`);
}

async function stop(nginx: Nginx, { drainTimeout }: NginxOptions, logger: Logger): Promise<void> {
  logger.info({ drainTimeoutMs: drainTimeout }, "stopping");
  if (await nginx.stop(drainTimeout)) logger.info("stopped");
  else logger.warn("stopped by force: some requests were not answered within the drain timeout");
}

function configuration(): NginxOptions {
  const flags = yargs(process.argv.slice(2))
    .scriptName("nginx")
    .usage("$0 [options]\n\nRuns nginx in front of ingest replicas, round robin over all addresses of their names.")
    .options(yargsOptions(nginxOptions))
    .example("$0 --upstreams api:3000", "all replicas of a Compose service")
    .example("$0 --upstreams 127.0.0.1:3001,127.0.0.1:3002 --directory /tmp/nginx", "two replicas on this machine")
    .epilogue(
      "SIGTERM or SIGINT stops nginx after it has answered the requests in flight. A second signal stops it immediately. SIGHUP looks the names up and reloads.",
    )
    .strict()
    .version(false)
    .wrap(110)
    .parseSync();
  return readOptions(nginxOptions, flags, process.env, nginxOptionsProblems);
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    const known = error instanceof ConfigError || error instanceof NginxError;
    process.stderr.write(`${known ? error.message : ((error as Error).stack ?? String(error))}\n`);
    process.exit(error instanceof ConfigError ? 2 : 1);
  },
);
