import "../sdk";
import Long from "long";
import type { Instant } from "apache-beam/values";

/** The smallest and the largest event time of the Beam model: the range of int64 in microseconds, as milliseconds. */
export const MIN_TIMESTAMP: Instant = Long.fromString("-9223372036854775");
export const MAX_TIMESTAMP: Instant = Long.fromString("9223372036854775");

/**
 * The event time of the Beam model for epoch milliseconds; a fraction of a millisecond is dropped.
 * @param what names the time in the error
 * @throws RangeError when it is not a number, or out of the range of the Beam model: `Long` would make it 1970
 */
export function toTimestamp(ms: number, what: string): Instant {
  if (typeof ms !== "number" || !Number.isFinite(ms)) {
    throw new RangeError(`${what} must be a number of epoch milliseconds, not ${String(ms)}`);
  }
  const timestamp = Long.fromNumber(Math.floor(ms));
  if (timestamp.lessThan(MIN_TIMESTAMP) || timestamp.greaterThan(MAX_TIMESTAMP)) {
    throw new RangeError(`${what} is out of the range of event times: ${ms} ms`);
  }
  return timestamp;
}
