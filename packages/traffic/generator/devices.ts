import type { Random } from "./random";
import type { TrafficOptions } from "./trafficOptions";

/** Devices that many users share. A few of them are used far more often than others, by more users than can be linked. */
const SHARED_DEVICES = 40;
/** Share of the sessions of a user whose device is the second one. */
const SECOND_DEVICE = 0.2;
/** Shares of sessions on the device of a user in which the user never logs in, or logs in on the way. */
const LOGGED_OUT = 0.25;
const LOGS_IN = 0.35;

/** The device of a session, and from which of its events on the user is known. */
export interface SessionDevice {
  readonly anonymousId: string;
  /** Index of the first event with the user id; Infinity: none has it. */
  readonly loginAt: number;
}

/**
 * Chooses the device of a session. Undefined for sessions without an anonymous id. A user who logs in links the device, also for
 * sessions on other days that were sent earlier, and for those that are sent later.
 * @param userId null for a visitor without an account
 * @param events number of events of the session
 */
export function sessionDevice(
  random: Random,
  { anonymousIdShare, sharedDeviceShare, users }: TrafficOptions,
  userId: string | null,
  events: number,
): SessionDevice | undefined {
  // Without the option, no random number is drawn, so that the traffic is that of earlier releases.
  if (anonymousIdShare === 0 || !random.chance(anonymousIdShare)) return undefined;
  if (userId === null) return { anonymousId: `v-${random.int(users)}`, loginAt: Infinity };
  const anonymousId = random.chance(sharedDeviceShare)
    ? `d-${Math.floor(SHARED_DEVICES * random.float() ** 3)}`
    : `a-${userId}${random.chance(SECOND_DEVICE) ? "-2" : ""}`;
  const kind = random.float();
  if (kind < LOGGED_OUT) return { anonymousId, loginAt: Infinity };
  return { anonymousId, loginAt: kind < LOGGED_OUT + LOGS_IN ? 1 + random.int(events) : 0 };
}
