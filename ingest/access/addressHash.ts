import { randomFillSync } from "node:crypto";
import { isV4, type IpAddress } from "@eventlogger/options/ipAddress";

/** Groups of 16 bits that tell clients apart: four of IPv6, or two of IPv4. */
const V6_GROUPS = [0, 1, 2, 3] as const;
const V4_GROUPS = [6, 7] as const;
/** Places of bytes that have random numbers of their own. */
const PLACES = 16;
/** So that both halves together are a whole number that JavaScript has. */
const HIGH_BITS = 0x1fffff;

/**
 * Hashes the part of an address that stands for one client: a line at home, or anyone else with IPv6, has a network of 64
 * bits (RFC 6177) and may use any address in it.
 *
 * This is tabulation hashing: each byte, at its place, picks a random number, and the hash is their exclusive or. Any two
 * clients have the same one with a probability of 2^-53, also if someone chooses their addresses. Who does not know the
 * random numbers, which are other ones in each process, learns nothing of an address from its hash. A cryptographic hash
 * would do the same and take ten times as long, for each request.
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
