/**
 * Corrects the times of devices whose clock is wrong. A client that sends `sent_at` tells what its clock showed when it sent the
 * request; the server knows what time it was.
 */

/** A clock that is wrong by up to this is believed; ms. */
export const MAX_BELIEVED_SKEW_MS = 10 * 60_000;

/**
 * Corrections are whole minutes, so that an event that is sent again gets the same time although the request took longer, and
 * the events of a session keep their distances although several requests brought them.
 */
const STEP_MS = 60_000;

/**
 * What to add to the times of a client so that they are those of the server; 0 when the client's clock is believed.
 * @param sentAt when the request was sent by the client's clock; epoch milliseconds
 * @param receivedAt when the server received it; epoch milliseconds
 * @returns ms, whole minutes
 */
export function clockCorrection(sentAt: number, receivedAt: number): number {
  const skew = receivedAt - sentAt;
  return Math.abs(skew) > MAX_BELIEVED_SKEW_MS ? Math.round(skew / STEP_MS) * STEP_MS : 0;
}
