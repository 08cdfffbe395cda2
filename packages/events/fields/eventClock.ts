import { eventTimeProblem, FIRST_TIME_MS, LAST_TIME_MS, readTime } from "../eventTime";
import { clockCorrection } from "./deviceClock";
import type { FieldError, FieldWarning } from "./fieldProblems";

/** What the client states about the time of an event. Values of another type are the schema's errors. */
export interface StatedTimes {
  readonly event_time?: unknown;
  readonly sent_at?: unknown;
}

/** The time of an event, or what is wrong with it. Times are epoch milliseconds. */
export type EventClock =
  | {
      readonly ms: number;
      /** The time as it was stated; null unless it was corrected. */
      readonly original: number | null;
      readonly warning?: FieldWarning;
    }
  | { readonly errors: FieldError[]; readonly isOutOfRange: boolean };

const isStated = (value: unknown): value is number | string => typeof value === "number" || typeof value === "string";
const isStorable = (ms: number): boolean => ms >= FIRST_TIME_MS && ms <= LAST_TIME_MS;

/**
 * Reads the time of an event, corrects it when the client's clock is wrong, and checks it.
 * @param receivedAt when the server received the event
 * @param earliest earlier times are errors; not negative
 */
export function readEventClock({ event_time, sent_at }: StatedTimes, receivedAt: number, earliest: number): EventClock {
  const time = isStated(event_time) ? readTime(event_time) : undefined;
  const sent = isStated(sent_at) ? readTime(sent_at) : undefined;
  const errors: FieldError[] = [];
  if (time && "problem" in time) errors.push({ field: "event_time", message: time.problem });
  if (sent && "problem" in sent) errors.push({ field: "sent_at", message: sent.problem });
  else if (sent && !isStorable(sent.ms)) errors.push({ field: "sent_at", message: "must be in the years 1 to 9999" });
  if (!time || "problem" in time || errors.length > 0) return { errors, isOutOfRange: false };
  const stated = time.ms;
  const correction = sent && "ms" in sent && isStorable(stated) ? clockCorrection(sent.ms, receivedAt) : 0;
  const problem = eventTimeProblem(stated + correction, receivedAt, earliest);
  if (problem === undefined) {
    if (correction === 0) return { ms: stated, original: null };
    return { ms: stated + correction, original: stated, warning: correctedWarning(correction) };
  }
  const message = correction === 0 ? problem : `${problem}, also after its correction by ${describe(correction)}`;
  return { errors: [{ field: "event_time", message }], isOutOfRange: true };
}

function describe(correction: number): string {
  const minutes = correction / 60_000;
  return `${minutes > 0 ? "+" : ""}${minutes} min, which the sender's clock is wrong by (sent_at)`;
}

function correctedWarning(correction: number): FieldWarning {
  return { field: "event_time", code: "corrected", message: `was corrected by ${describe(correction)}` };
}
