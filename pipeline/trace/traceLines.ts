import { formatDuration } from "@eventlogger/options/options";
import { printable, type colours } from "@eventlogger/options/terminal";
import type { Trace, TracedPerson } from "./trace";

type Colours = ReturnType<typeof colours>;

const RECORD = {
  recorded: "recorded",
  not_recorded: "nothing of this day is recorded",
  not_sampled: "not in the record, which is a sample on a day with many events",
} as const satisfies Record<NonNullable<Trace["acceptedRecord"]>, string>;

function personText({ countsFor, linkedUsers, anonymousId, isShared }: TracedPerson): string {
  const ids = countsFor.map(({ kind, id }) => `${kind === "user" ? "user" : "anonymous"} ${printable(id)}`);
  const links =
    anonymousId === null || (linkedUsers.length === 0 && !isShared)
      ? ""
      : `; anonymous id ${printable(anonymousId)} is linked to ${
          isShared ? `more than ${linkedUsers.length - 1} users` : linkedUsers.map(printable).join(", ")
        }`;
  return `${ids.join(", ") || "none"}${links}`;
}

/** A trace for a terminal. */
export function traceLines(trace: Trace, { green, red, yellow }: Colours): string[] {
  const { eventId, state, topic, subscription, rows, deadLetters, generation, session, person, acceptedRecord } = trace;
  const line = (name: string, text: string | null | undefined): string[] =>
    text === null || text === undefined ? [] : [`${name.padEnd(14)}${text}`];
  const states = {
    stored: green("stored in the table events"),
    dead_letter: red("a dead letter"),
    not_found: red("not found"),
  } as const;
  const [row] = rows;
  return [
    ...line("event", `${printable(eventId)}: ${states[state]}`),
    ...line("topic", `${topic.name}${topic.exists ? "" : red(" does not exist")}`),
    ...line("subscription", `${subscription.name}${subscription.problems.length ? yellow(" cannot be read") : ""}`),
    ...rows.flatMap((r) => line("row", `received ${r.received_at}, partition ${r.received_date}`)),
    ...line("name", row && printable(row.event_name)),
    ...line(
      "time",
      row &&
        `${row.event_time}${row.original_event_time === null ? "" : `, corrected from ${row.original_event_time}`}`,
    ),
    ...deadLetters.flatMap((d) =>
      line(
        "dead letter",
        `${d.failedAt}  ${printable(d.errorType)}  ${printable(d.source)}: ${printable(d.errorMessage)}`,
      ),
    ),
    ...line("generation", generation && `${generation.generation} (${generation.timeZone})`),
    ...line("day", trace.day),
    ...line(
      "session",
      session &&
        `${printable(session.sessionId)}: ${session.firstEventTime} to ${session.lastEventTime}, ` +
          `${formatDuration(session.durationMs)}, ${session.events} event${session.events === 1 ? "" : "s"}`,
    ),
    ...line("person", person && personText(person)),
    ...line("record", acceptedRecord && RECORD[acceptedRecord]),
    ...trace.notes.map((note) => `${yellow("note")}          ${printable(note)}`),
  ];
}
