/**
 * A day on which a person had events, and whether they were events of a bot, as one whole number: twice the epoch day, plus 1 for a bot.
 * A day with events of both kinds is two marked days.
 */
export type MarkedDay = number;

/** @param day epoch day */
export function markDay(day: number, isBot: boolean): MarkedDay {
  return 2 * day + (isBot ? 1 : 0);
}

/** The epoch day. */
export function dayOfMarked(marked: MarkedDay): number {
  return marked >> 1;
}

export function isBotDay(marked: MarkedDay): boolean {
  return (marked & 1) !== 0;
}
