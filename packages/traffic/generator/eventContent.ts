import type { EventInput } from "@eventlogger/events/event";
import { EVENT_NAMES, PAGES, PLACES, PLANS } from "../content";
import type { Random } from "./random";

/** The fields that all events of a session share. */
export type SessionContent = Pick<EventInput, "session_id" | "user_id" | "country" | "region" | "city">;

/** @param userId null for an anonymous user: apps then send null or omit the field */
export function sessionContent(random: Random, sessionId: string, userId: string | null): SessionContent {
  const user = userId === null && random.chance(0.5) ? {} : { user_id: userId };
  return { session_id: sessionId, ...user, ...random.pick(PLACES) };
}

/** A time in one of the notations that apps use. All keep the millisecond. */
function notation(random: Random, ms: number): number | string {
  const kind = random.float();
  if (kind < 0.15) return new Date(ms).toISOString();
  // Milliseconds before March 1973 would be read as seconds.
  return kind < 0.3 || ms < 1e11 ? ms / 1000 : ms;
}

/** @param ms event time, epoch milliseconds */
export function eventContent(random: Random, session: SessionContent, eventId: string, ms: number): EventInput {
  const event: EventInput = {
    type: "event",
    event_id: eventId,
    event_name: random.pick(EVENT_NAMES),
    event_time: notation(random, ms),
    page: random.pick(PAGES),
    ...session,
  };
  if (random.chance(0.5)) {
    event.properties = {
      plan: random.pick(PLANS),
      price: random.int(100_000) / 100,
      tags: ["a", "ü"],
      ab: { b: true },
    };
  }
  return event;
}
