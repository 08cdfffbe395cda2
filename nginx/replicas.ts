import { lookup, Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import type { Logger } from "pino";
import { formatUpstream, type Upstream } from "./upstreams";

/**
 * Finds all addresses of a name, of one family: a replica that has both an IPv4 and an IPv6 address would count twice.
 * @throws Error with a code when there are none, or nobody knows
 */
export type Lookup = (name: string) => Promise<readonly string[]>;

/** Asks the system: /etc/hosts, and the DNS servers of /etc/resolv.conf (in containers, Docker's). Nothing is cached. */
export const systemLookup: Lookup = async (name) => {
  const found = await lookup(name, { all: true });
  const ipv4 = found.filter(({ family }) => family === 4);
  return (ipv4.length > 0 ? ipv4 : found).map(({ address }) => address);
};

/** Asks one DNS server. */
export function dnsLookup(server: string): Lookup {
  const resolver = new Resolver({ timeout: 1000, tries: 2 });
  resolver.setServers([server]);
  return async (name) => {
    const ipv4 = await resolver.resolve4(name).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENODATA") return [];
      throw error;
    });
    return ipv4.length > 0 ? ipv4 : resolver.resolve6(name);
  };
}

/**
 * The addresses of the replicas, as far as they are known. A name that cannot be looked up, or that has no address, keeps
 * those it had last: a DNS server that is down takes no replica away, and nginx leaves out those that do not answer.
 */
export class Replicas {
  private readonly known = new Map<Upstream, readonly string[]>();
  private readonly failing = new Set<Upstream>();

  constructor(
    private readonly upstreams: readonly Upstream[],
    private readonly find: Lookup,
    private readonly logger: Logger,
  ) {}

  /** Looks all names up. @returns `address:port` of each replica, sorted, each once */
  async addresses(): Promise<readonly string[]> {
    await Promise.all(this.upstreams.map((upstream) => this.refresh(upstream)));
    return [...new Set([...this.known.values()].flat())].sort();
  }

  private async refresh(upstream: Upstream): Promise<void> {
    const { host, port } = upstream;
    try {
      const found = isIP(host) ? [host] : await this.find(host);
      if (found.length === 0) throw Object.assign(new Error("no address"), { code: "ENODATA" });
      this.known.set(
        upstream,
        found.map((address) => formatUpstream({ host: address, port })),
      );
      if (this.failing.delete(upstream)) this.logger.info({ upstream: formatUpstream(upstream) }, "found");
    } catch (error) {
      if (this.failing.has(upstream)) return;
      this.failing.add(upstream);
      const kept = this.known.get(upstream)?.length ?? 0;
      const { code = String(error) } = error as NodeJS.ErrnoException;
      const message = kept > 0 ? "not found: its replicas are kept as they were" : "not found: it has no replicas yet";
      this.logger.warn({ upstream: formatUpstream(upstream), error: code, kept }, message);
    }
  }
}

/** Whether two sorted lists of addresses are the same. */
export function sameAddresses(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((address, i) => address === b[i]);
}
