import type { EventInput } from "@eventlogger/events/event";
import type { Random } from "./random";

const EVENT_NAMES = ["page_view", "page_view", "page_view", "click", "click", "search", "add_to_cart"] as const;
const PAGES = ["/", "/pricing", "/docs", "/products/1", "/products/2", "/cart", "/über-uns"] as const;
const PLANS = ["free", "team", "enterprise"] as const;
const PLACES = [
  { country: "DE", region: "Berlin", city: "Berlin" },
  { country: "FR", region: "Île-de-France", city: "Paris" },
  { country: "BR", region: "São Paulo", city: "São Paulo" },
  { country: "JP", region: "東京都", city: "千代田区" },
  { country: "US", region: "CA", city: null },
  {},
] as const;

/** What the events of one session have in common. */
export type SessionContent = Pick<EventInput, "session_id" | "user_id" | "country" | "region" | "city">;

/** @param userId null = anonymous, which apps say in two ways: by null and by leaving the field out */
export function sessionContent(random: Random, sessionId: string, userId: string | null): SessionContent {
  const user = userId === null && random.chance(0.5) ? {} : { user_id: userId };
  return { session_id: sessionId, ...user, ...random.pick(PLACES) };
}

/** A moment in one of the notations apps use; all keep the millisecond. */
function notation(random: Random, ms: number): number | string {
  const kind = random.float();
  if (kind < 0.15) return new Date(ms).toISOString();
  // Milliseconds before March 1973 would be read as seconds.
  return kind < 0.3 || ms < 1e11 ? ms / 1000 : ms;
}

/** @param ms epoch milliseconds */
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
