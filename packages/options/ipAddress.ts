import { isIP } from "node:net";

/** An address as eight groups of 16 bits; IPv4 is mapped into IPv6 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). */
export type IpAddress = readonly number[];

const GROUPS = 8;
const V4_PREFIX_BITS = 96;

const DOT = 0x2e;
const ZERO = 0x30;

/** @param text a valid IPv4 address. Runs for each request, so it allocates no substrings. */
function v4Groups(text: string): [number, number] {
  let bits = 0;
  let byte = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      bits = (bits << 8) | byte;
      byte = 0;
    } else byte = byte * 10 + code - ZERO;
  }
  bits = (bits << 8) | byte;
  return [bits >>> 16, bits & 0xffff];
}

function v6Groups(part: string): number[] {
  if (part === "") return [];
  return part.split(":").flatMap((group) => (group.includes(".") ? v4Groups(group) : [parseInt(group, 16)]));
}

/** Parses an address, with or without a zone; undefined when the text is not an address. */
export function parseIp(text: string): IpAddress | undefined {
  const family = isIP(text);
  if (family === 4) {
    const [high, low] = v4Groups(text);
    return [0, 0, 0, 0, 0, 0xffff, high, low];
  }
  if (family === 0) return undefined;
  const zone = text.indexOf("%");
  const [head = "", tail] = (zone < 0 ? text : text.slice(0, zone)).split("::");
  const first = v6Groups(head);
  if (tail === undefined) return first;
  const last = v6Groups(tail);
  return [...first, ...Array<number>(GROUPS - first.length - last.length).fill(0), ...last];
}

/** Whether an address is an IPv4 address. */
export function isV4(address: IpAddress): boolean {
  return address[5] === 0xffff && !(address[0] || address[1] || address[2] || address[3] || address[4]);
}

/** A network: the first `bits` of its address. */
export interface Network {
  readonly address: IpAddress;
  readonly bits: number;
}

/** Parses `10.0.0.0/8`, `fd00::/8` or a single address; undefined for any other text. */
export function parseNetwork(text: string): Network | undefined {
  const [, ip = "", length] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = parseIp(ip);
  if (!address) return undefined;
  const before = isIP(ip) === 4 ? V4_PREFIX_BITS : 0;
  const bits = length === undefined ? GROUPS * 16 : before + Number(length);
  return bits <= GROUPS * 16 ? { address, bits } : undefined;
}

/** Whether an address is in a network. */
export function isWithin({ address, bits }: Network, ip: IpAddress): boolean {
  const whole = bits >> 4;
  for (let i = 0; i < whole; i++) if (address[i] !== ip[i]) return false;
  const rest = bits & 15;
  return rest === 0 || ((address[whole] as number) ^ (ip[whole] as number)) >> (16 - rest) === 0;
}
