import { isIPv6 } from "node:net";

/** Location of replicas: a host name or an address, and a port. */
export interface Upstream {
  /** IPv6 addresses without brackets. */
  readonly host: string;
  readonly port: number;
}

const HOST = /^[a-z\d](?:[\w.-]{0,252}[a-z\d])?\.?$/i;

/** Reads `name:port`, `10.0.0.1:port` or `[fd00::1]:port`; undefined for any other text. */
export function parseUpstream(text: string): Upstream | undefined {
  const match = /^(?:\[([^\]]+)\]|([^[\]:]+)):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const [, bracketed, plain = ""] = match;
  const port = Number(match[3]);
  if (port < 1 || port > 65_535) return undefined;
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, port } : undefined;
  return HOST.test(plain) ? { host: plain, port } : undefined;
}

export function formatUpstream({ host, port }: Upstream): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** Describes the first problem with the upstreams of an option; undefined when all are valid. */
export function upstreamsProblem(upstreams: readonly string[]): string | undefined {
  if (upstreams.length === 0) return "must name at least one upstream, such as api:3000";
  const wrong = upstreams.find((upstream) => parseUpstream(upstream) === undefined);
  if (wrong === undefined) return undefined;
  return `must list upstreams such as api:3000, 10.0.0.1:3000 or [fd00::1]:3000 (${JSON.stringify(wrong)} is not valid)`;
}
