import { timeToIso } from "@eventlogger/events/day";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import type { DecodedMessage } from "@eventlogger/events/eventMessage";
import { printable, type colours } from "@eventlogger/options/terminal";

type Colours = ReturnType<typeof colours>;

/** The fields that a line shows after the name, with short labels. */
const SHOWN = [
  ["user", "user_id"],
  ["anonymous", "anonymous_id"],
  ["session", "session_id"],
  ["page", "page"],
  ["country", "country"],
  ["app", "app"],
  ["platform", "platform"],
] as const satisfies readonly (readonly [string, keyof AnalyticsEvent])[];

type DecodedEvent = Extract<DecodedMessage, { ok: true }>;

/** An event as one line of JSON. The numbers in its properties keep all their digits. */
export function eventJson({ event: { properties, ...fields }, propertiesJson }: DecodedEvent): string {
  return `${JSON.stringify(fields).slice(0, -1)},"properties":${properties && propertiesJson}}`;
}

/** One line about an event for a terminal; absent fields are left out. */
export function eventLine({ event, propertiesJson }: DecodedEvent, { bold, dim, yellow }: Colours): string {
  const fields = SHOWN.flatMap(([label, field]) => {
    const value = event[field];
    return value === null ? [] : [`${dim(`${label}=`)}${printable(value)}`];
  });
  return [
    dim(timeToIso(event.event_time)),
    bold(printable(event.event_name)),
    ...fields,
    ...(event.is_bot ? [yellow("bot")] : []),
    ...(event.properties === null ? [] : [printable(propertiesJson)]),
    dim(printable(event.event_id)),
  ].join("  ");
}

/** One line about a message that is not an event. */
export function invalidLine(messageId: string, reason: string, { red, dim }: Colours): string {
  return `${red("not an event")}  ${printable(reason)}  ${dim(`message ${messageId}`)}`;
}
