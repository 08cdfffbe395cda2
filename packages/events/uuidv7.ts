import { randomUUID } from "node:crypto";

const MAX_COUNTER = 0xfff;

/**
 * Creates a generator of UUIDv7 (RFC 9562, section 5.7): 48 bits of epoch milliseconds, a 12-bit counter that starts at a
 * random value each millisecond (section 6.2, method 1), 62 random bits. Ids of one generator increase strictly, even
 * when the clock goes back or the counter of a millisecond overflows: the time part then runs ahead of the clock.
 * @param now epoch milliseconds
 */
export function uuidv7Generator(now: () => number = Date.now): () => string {
  let lastMs = -1;
  let counter = 0;
  return () => {
    // A version 4 id has the same variant and the same 62 random bits, and node:crypto generates them in bulk.
    const random = randomUUID();
    const ms = now();
    if (ms > lastMs) {
      lastMs = ms;
      // Starts in the lower half, which leaves at least 2,048 ids for this millisecond.
      counter = parseInt(random.slice(15, 18), 16) & (MAX_COUNTER >> 1);
    } else if (++counter > MAX_COUNTER) {
      lastMs++;
      counter = 0;
    }
    const time = lastMs.toString(16).padStart(12, "0");
    return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, "0")}${random.slice(18)}`;
  };
}

/** A new UUIDv7; ids of one process increase strictly. */
export const uuidv7: () => string = uuidv7Generator();
