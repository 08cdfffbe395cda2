import type { EventInput } from "@eventlogger/events/event";

/** Session ids of generated bots begin with this. An event does not name its user agent: the request that sends it does. */
export const BOT_SESSION_PREFIX = "bot-";

/** The user agent of bots (https://developers.google.com/crawling/docs/crawlers-fetchers/google-common-crawlers). */
const BOT_USER_AGENT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/** Whether a generated event is a bot's. */
export function isOfBot({ session_id }: Pick<EventInput, "session_id">): boolean {
  return session_id.startsWith(BOT_SESSION_PREFIX);
}

/** The user agent of the request that sends an event; undefined for the sender's own one. */
export function userAgentOf(event: Pick<EventInput, "session_id">): string | undefined {
  return isOfBot(event) ? BOT_USER_AGENT : undefined;
}
