import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { trustedProxiesProblem } from "@eventlogger/options/httpOptions";
import { AddressHash } from "./addressHash";
import { isWithin, parseIp, parseNetwork, type IpAddress, type Network } from "@eventlogger/options/ipAddress";

/** Parses a hop of X-Forwarded-For; some proxies add the port. */
function parseHop(text: string): IpAddress | undefined {
  const hop = text.trim();
  return parseIp(hop) ?? parseIp(hop.replace(/^\[(.*)\](:\d+)?$|^([^:]+):\d+$/, "$1$3"));
}

export interface ClientIdsOptions {
  /** Addresses and networks of proxies whose X-Forwarded-For and X-Real-IP are trusted. */
  readonly trustedProxies: readonly string[];
  /** Called once when an untrusted proxy names a client: then all clients behind it count as one. */
  readonly onUntrustedProxy: () => void;
}

/**
 * Identifies clients by their addresses, for rate limits. An id is a hash that reveals nothing about the address and
 * differs between processes.
 */
export class ClientIds {
  private readonly hash = new AddressHash();
  private readonly trusted: readonly Network[];
  private readonly peers = new WeakMap<
    Socket,
    { readonly address: IpAddress | undefined; readonly isTrusted: boolean }
  >();
  private hasWarned = false;

  /** @throws Error when a proxy is not a valid address, see {@link trustedProxiesProblem}. */
  constructor(private readonly options: ClientIdsOptions) {
    const problem = trustedProxiesProblem(options.trustedProxies);
    if (problem !== undefined) throw new Error(`Trusted proxies ${problem}`);
    this.trusted = options.trustedProxies.flatMap((proxy) => parseNetwork(proxy) ?? []);
  }

  of(request: IncomingMessage): number {
    const address = this.addressOf(request);
    // The connection is closed: nobody reads the answer.
    return address ? this.hash.of(address) : -1;
  }

  /**
   * The client address that the trusted proxies report. Entries of X-Forwarded-For to the left of the last trusted proxy
   * may be forged by the client.
   */
  private addressOf({ headers, socket }: IncomingMessage): IpAddress | undefined {
    const peer = this.peer(socket);
    const forwarded = headers["x-forwarded-for"];
    const real = headers["x-real-ip"];
    if (!peer.isTrusted) {
      if ((forwarded ?? real) !== undefined) this.warn();
      return peer.address;
    }
    if (forwarded === undefined) return (typeof real === "string" && parseHop(real)) || peer.address;
    let { address } = peer;
    const hops = String(forwarded);
    for (let end = hops.length; end >= 0;) {
      const comma = hops.lastIndexOf(",", end - 1);
      const hop = end === 0 ? undefined : parseHop(hops.slice(comma + 1, end));
      if (!hop) return address;
      address = hop;
      if (comma < 0 || !this.isTrusted(hop)) return address;
      end = comma;
    }
    return address;
  }

  private peer(socket: Socket): { readonly address: IpAddress | undefined; readonly isTrusted: boolean } {
    let peer = this.peers.get(socket);
    if (!peer) {
      const address = parseIp(socket.remoteAddress ?? "");
      this.peers.set(socket, (peer = { address, isTrusted: address !== undefined && this.isTrusted(address) }));
    }
    return peer;
  }

  private isTrusted(address: IpAddress): boolean {
    return this.trusted.some((network) => isWithin(network, address));
  }

  private warn(): void {
    if (this.hasWarned) return;
    this.hasWarned = true;
    this.options.onUntrustedProxy();
  }
}
