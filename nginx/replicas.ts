import { lookup, Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import type { Logger } from "pino";
import { formatUpstream, type Upstream } from "./upstreams";

/**
 * Finds all addresses of a name, of one family: a replica with an IPv4 and an IPv6 address would count twice.
 * @throws Error with a code when the name has no address or the lookup fails
 */
export type Lookup = (name: string) => Promise<readonly string[]>;

/** Uses the resolver of the system: /etc/hosts and the DNS servers of /etc/resolv.conf. Nothing is cached. */
export const systemLookup: Lookup = async (name) => {
  const found = await lookup(name, { all: true });
  const ipv4 = found.filter(({ family }) => family === 4);
  return (ipv4.length > 0 ? ipv4 : found).map(({ address }) => address);
};

/** Uses one DNS server. */
export function dnsLookup(server: string): Lookup {
  const resolver = new Resolver({ timeout: 1000, tries: 2 });
  resolver.setServers([server]);
  return async (name) => {
    const ipv4 = await resolver.resolve4(name).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === "ENODATA") return [];
      throw error;
    });
    return ipv4.length > 0 ? ipv4 : resolver.resolve6(name);
  };
}

/**
 * The known addresses of the replicas. A name keeps its last addresses while its lookup fails or returns none, so that a
 * DNS outage removes no replica; nginx itself skips replicas that do not answer.
 */
export class Replicas {
  private readonly known = new Map<Upstream, readonly string[]>();
  private readonly failing = new Set<Upstream>();

  constructor(
    private readonly upstreams: readonly Upstream[],
    private readonly find: Lookup,
    private readonly logger: Logger,
  ) {}

  /** Looks up all names. @returns `address:port` of each replica, sorted, without duplicates */
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
      if (this.failing.delete(upstream)) this.logger.info({ upstream: formatUpstream(upstream) }, "lookup works again");
    } catch (error) {
      if (this.failing.has(upstream)) return;
      this.failing.add(upstream);
      const kept = this.known.get(upstream)?.length ?? 0;
      const { code = String(error) } = error as NodeJS.ErrnoException;
      const message = kept > 0 ? "lookup failed: keeping the last addresses" : "lookup failed: no replicas yet";
      this.logger.warn({ upstream: formatUpstream(upstream), error: code, kept }, message);
    }
  }
}

/** Whether two sorted lists of addresses are equal. */
export function sameAddresses(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((address, i) => address === b[i]);
}
