/**
 * nginx in front of the replicas that some names stand for: looks the names up again and again, and has nginx reload its
 * configuration when, and only when, their addresses have changed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { pino, type Logger } from "pino";
import yargs from "yargs";
import { ConfigError, readOptions, yargsOptions } from "../config/options";
import { configOptions, nginxOptions, nginxOptionsProblems, type NginxOptions } from "./options";
import { dnsLookup, Replicas, sameAddresses, systemLookup } from "./replicas";
import { Nginx, NginxError } from "./supervisor";
import { parseUpstream } from "./upstreams";

/** Exit codes: 0 stopped in order, 1 failed or cut short, 2 wrong configuration. */
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

  let upstreams = await replicas.addresses();
  while (upstreams.length === 0) {
    if (await signals.within(options.resolveInterval)) return;
    upstreams = await replicas.addresses();
  }
  const nginx = await Nginx.start({ ...config, upstreams });
  logger.info({ host: options.host, port: options.port, replicas: upstreams.length, upstreams }, "listening");
  void nginx.exited.then(({ code, signal }) => {
    if (signals.stopping) return;
    logger.fatal({ code, signal, log: nginx.tail }, "nginx ended by itself");
    process.exit(1);
  });

  while (!(await signals.within(options.resolveInterval))) {
    const next = await replicas.addresses();
    const asked = signals.takeReload();
    if (signals.stopping || (sameAddresses(upstreams, next) && !asked)) continue;
    nginx.reload({ ...config, upstreams: next });
    logChange(logger, upstreams, next);
    upstreams = next;
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
  else logger.warn("stopped by force: not everything was answered within the drain timeout");
}

/** SIGTERM and SIGINT stop, SIGHUP reloads; each ends the wait between two looks. */
class Signals {
  stopping = false;
  private reload = false;
  private wake = new AbortController();

  constructor() {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (this.stopping) process.exit(1);
        this.stopping = true;
        this.wake.abort();
      });
    }
    process.on("SIGHUP", () => {
      this.reload = true;
      this.wake.abort();
    });
  }

  /** Waits, at most until a signal comes. @returns whether it is time to stop */
  async within(ms: number): Promise<boolean> {
    if (!this.stopping && !this.reload) {
      this.wake = new AbortController();
      await sleep(ms, undefined, { signal: this.wake.signal }).catch(() => {});
    }
    return this.stopping;
  }

  /** @returns whether a reload was asked for since the last call */
  takeReload(): boolean {
    const asked = this.reload;
    this.reload = false;
    return asked;
  }
}

function configuration(): NginxOptions {
  const flags = yargs(process.argv.slice(2))
    .scriptName("nginx")
    .usage("$0 [options]\n\nRuns nginx in front of ingest replicas, round robin over all addresses of their names.")
    .options(yargsOptions(nginxOptions))
    .example("$0 --upstreams api:3000", "all replicas of a Compose service")
    .example("$0 --upstreams 127.0.0.1:3001,127.0.0.1:3002 --directory /tmp/nginx", "two on this machine")
    .epilogue(
      "SIGTERM or SIGINT stops it: what is under way is answered first. A second one stops it at once. SIGHUP looks the names up and reloads.",
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
