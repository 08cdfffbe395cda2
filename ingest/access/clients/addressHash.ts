import { randomFillSync } from "node:crypto";
import { isV4, type IpAddress } from "@eventlogger/options/ipAddress";

/** The 16-bit groups that identify a client: four of IPv6, or two of IPv4. */
const V6_GROUPS = [0, 1, 2, 3] as const;
const V4_GROUPS = [6, 7] as const;
/** Number of byte positions, each with its own random table. */
const PLACES = 16;
/** Keeps the combined hash within the safe integers of JavaScript. */
const HIGH_BITS = 0x1fffff;

/**
 * Hashes the part of an address that identifies one client. With IPv6 that is the network of 64 bits (RFC 6177), in which
 * a client may use any address.
 *
 * It uses tabulation hashing: each byte selects a random number from the table of its position, and the hash is the
 * exclusive or of these numbers. Two clients collide with a probability of 2^-53, even if an attacker chooses the
 * addresses. The tables are random per process, so a hash reveals nothing about an address. A cryptographic hash would
 * take ten times as long for each request.
 */
export class AddressHash {
  private readonly high = randomFillSync(new Uint32Array(PLACES * 256));
  private readonly low = randomFillSync(new Uint32Array(PLACES * 256));

  /** @returns a whole number from 0 to 2^53 - 1 */
  of(address: IpAddress): number {
    const { high: highs, low: lows } = this;
    let high = 0;
    let low = 0;
    for (const group of isV4(address) ? V4_GROUPS : V6_GROUPS) {
      const bits = address[group] as number;
      const first = 2 * group * 256 + (bits >>> 8);
      const second = (2 * group + 1) * 256 + (bits & 0xff);
      high ^= (highs[first] as number) ^ (highs[second] as number);
      low ^= (lows[first] as number) ^ (lows[second] as number);
    }
    return (high & HIGH_BITS) * 2 ** 32 + (low >>> 0);
  }
}
