import { existsSync } from "node:fs";
import path from "node:path";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { bigqueryOptions, projectOption, pubsubOptions } from "@eventlogger/gcp/gcpOptions";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { ConfigError, wholeNumber, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { colours, printable } from "@eventlogger/options/terminal";
import { UserError } from "@eventlogger/process/main";
import { deadLetterFolders } from "../../deadLetters/deadLetterFiles";
import {
  DeadLetterFolders,
  DeadLetterTable,
  type DeadLetterFilter,
  type DeadLetterSource,
} from "../../deadLetters/deadLetterSource";
import { eventTopic } from "../../deadLetters/eventTopic";
import type { UnreadableLine } from "../../deadLetters/readDeadLetterFiles";
import { resend, type Outcome } from "../../deadLetters/resend";
import type { StoredDeadLetter } from "../../deadLetters/storedDeadLetter";
import { storedEventIds } from "../../deadLetters/storedEvents";
import { FAILED } from "../exitCodes";
import { jsonOption, writeResult } from "../output";
import { mixedOption, requireServices, serviceProblems } from "../services";
import { defineCommand } from "./command";

/** Maximum number of dead letters that `resend` lists because they were not sent. */
const SHOWN_NOT_SENT = 1000;

const isoTime = (text: string): string | undefined =>
  Number.isNaN(Date.parse(text)) ? "must be an ISO 8601 time such as 2024-05-17 or 2024-05-17T12:00:00Z" : undefined;

const options = {
  ...projectOption,
  ...bigqueryOptions,
  ...mixedOption,
  topic: { ...pubsubOptions.topic, describe: "resend: Pub/Sub topic that gets the events" },
  from: {
    type: "enum",
    describe:
      "Where to read dead letters: table (dead_letters in BigQuery) or file (copies in --state-dir of run, of all generations)",
    default: "table",
    choices: ["table", "file"],
    group: "Dead letters:",
  },
  stateDir: {
    type: "string",
    describe: "State directory of run, for --from file",
    default: ".eventlogger",
    group: "Dead letters:",
  },
  errorType: {
    type: "list",
    describe: "Only these error types, such as not_json, invalid_event or row_refused. Default: all",
    optional: true,
    group: "Dead letters:",
  },
  since: {
    type: "string",
    describe: "Only dead letters that failed at this ISO 8601 time or later",
    optional: true,
    check: isoTime,
    group: "Dead letters:",
  },
  until: {
    type: "string",
    describe: "Only dead letters that failed before this ISO 8601 time",
    optional: true,
    check: isoTime,
    group: "Dead letters:",
  },
  limit: {
    type: "number",
    describe: "list: maximum number of dead letters; the newest are listed",
    default: 50,
    check: wholeNumber(1, 10_000),
    group: "Dead letters:",
  },
  dryRun: {
    type: "boolean",
    describe: "resend: publish nothing, and report what would be sent",
    default: false,
    group: "Dead letters:",
  },
  ...jsonOption,
} as const satisfies OptionSpecs;

type Values = Options<typeof options>;

interface Opened {
  readonly source: DeadLetterSource;
  /** Lines of the files that are not dead letters, as far as read. */
  readonly unreadable: UnreadableLine[];
}

async function openSource(
  { from, stateDir, dataset }: Values,
  bigquery: ReturnType<typeof bigQueryClient>,
): Promise<Opened> {
  const unreadable: UnreadableLine[] = [];
  if (from === "table") return { source: new DeadLetterTable(bigquery, dataset), unreadable };
  if (!existsSync(stateDir)) {
    throw new UserError(`${path.resolve(stateDir)} does not exist. Use the --state-dir (STATE_DIR) of eventlogger run`);
  }
  const folders = await deadLetterFolders(stateDir);
  const source = new DeadLetterFolders(folders, (line) => unreadable.push(line));
  return { source, unreadable };
}

function filterOf({ errorType, since, until }: Values): DeadLetterFilter {
  const time = (text: string | undefined): number | undefined => (text === undefined ? undefined : Date.parse(text));
  return { errorTypes: errorType ?? [], since: time(since), until: time(until) };
}

const number = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;

const unreadableText = ({ file, line }: UnreadableLine): string => `${file}, line ${line}, is not a dead letter`;

function nameOf({ failed_at, error_type, source, id }: StoredDeadLetter): string {
  return printable(`${failed_at}  ${error_type}  ${source}  ${id}`);
}

type ListedDeadLetter = StoredDeadLetter &
  (
    | { readonly state: "stored" | "can_be_sent"; readonly event_id: string }
    | { readonly state: "cannot_be_sent"; readonly reason: string }
  );

async function list(o: Values): Promise<number> {
  const { green, yellow, dim } = colours(process.stdout);
  const bigquery = bigQueryClient({ project: o.project, endpoint: o.bigqueryEndpoint });
  const { source, unreadable } = await openSource(o, bigquery);
  const { letters, total } = await source.newest(filterOf(o), o.limit);
  const listed: ListedDeadLetter[] = [];
  const lines: string[] = [];
  const storedIds = (events: Parameters<typeof storedEventIds>[2]): Promise<Set<string>> =>
    storedEventIds(bigquery, o.dataset, events);
  await resend(asyncOf(letters), { storedIds, publish: undefined }, (letter, outcome) => {
    lines.push(nameOf(letter), `    ${printable(letter.error_message)}`);
    switch (outcome.kind) {
      case "stored":
        listed.push({ ...letter, state: "stored", event_id: outcome.eventId });
        lines.push(`    ${dim(`stored: the table events has a row of event ${printable(outcome.eventId)}`)}`);
        return;
      case "sent":
        listed.push({ ...letter, state: "can_be_sent", event_id: outcome.eventId });
        lines.push(`    ${green("can be sent again")} as event ${printable(outcome.eventId)}`);
        return;
      case "not_sent":
        listed.push({ ...letter, state: "cannot_be_sent", reason: outcome.reason });
        lines.push(`    ${yellow("cannot be sent again")}: ${printable(outcome.reason)}`);
        return;
    }
  });
  writeResult(o.json, { total, deadLetters: listed, unreadable }, [
    ...lines,
    ...unreadable.map((line) => `${yellow("unreadable")} ${unreadableText(line)}`),
    total === letters.length ? number(total, "dead letter") : `the newest ${letters.length} of ${total} dead letters`,
  ]);
  return 0;
}

async function* asyncOf<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

/** What `resend` did; also its JSON document. */
interface Report {
  readonly dryRun: boolean;
  sent: number;
  stored: number;
  notSent: number;
  /** The first ones, with the reason. */
  readonly notSentLetters: { id: string; error_type: string; source: string; failed_at: string; reason: string }[];
  readonly unreadable: readonly UnreadableLine[];
  /** What ended the command before all dead letters were read. */
  error?: string;
}

function count(report: Report, letter: StoredDeadLetter, outcome: Outcome): void {
  switch (outcome.kind) {
    case "sent":
      report.sent++;
      return;
    case "stored":
      report.stored++;
      return;
    case "not_sent": {
      report.notSent++;
      if (report.notSentLetters.length >= SHOWN_NOT_SENT) return;
      const { id, error_type, source, failed_at } = letter;
      report.notSentLetters.push({ id, error_type, source, failed_at, reason: outcome.reason });
      return;
    }
  }
}

function reportLines({ dryRun, sent, stored, notSent, notSentLetters, unreadable }: Report): string[] {
  const { green, yellow } = colours(process.stdout);
  const hidden = notSent - notSentLetters.length;
  return [
    ...notSentLetters.map(
      ({ reason, ...letter }) =>
        `${yellow("not sent")} ${nameOf(letter as StoredDeadLetter)}\n    ${printable(reason)}`,
    ),
    ...(hidden ? [`${yellow("not sent")} ${hidden} more`] : []),
    ...unreadable.map((line) => `${yellow("unreadable")} ${unreadableText(line)}`),
    `${dryRun ? "would send" : green("sent")} ${number(sent, "event")}, ${stored} stored already, ${notSent} cannot be sent` +
      (unreadable.length ? `, ${number(unreadable.length, "line")} unreadable` : ""),
  ];
}

async function resendAll(o: Values): Promise<number> {
  const bigquery = bigQueryClient({ project: o.project, endpoint: o.bigqueryEndpoint });
  const { source, unreadable } = await openSource(o, bigquery);
  const report: Report = { dryRun: o.dryRun, sent: 0, stored: 0, notSent: 0, notSentLetters: [], unreadable };
  const pubsub = pubSubClient({ project: o.project });
  try {
    await resend(
      source.read(filterOf(o)),
      {
        storedIds: (events) => storedEventIds(bigquery, o.dataset, events),
        publish: o.dryRun ? undefined : eventTopic(pubsub, o.project, o.topic),
      },
      (letter, outcome) => count(report, letter, outcome),
    );
  } catch (error) {
    report.error = error instanceof Error ? error.message : String(error);
  } finally {
    await pubsub.close();
  }
  writeResult(o.json, report, reportLines(report));
  if (report.error !== undefined) throw new UserError(`Stopped before the last dead letter: ${report.error}`);
  return report.notSent > 0 || unreadable.length > 0 ? FAILED : 0;
}

export const deadLettersCommand = defineCommand({
  details:
    "list shows the newest dead letters, and which of them can be sent again. resend publishes the events of refused rows, " +
    "and of messages that are valid now, with the event_id that they had: numbers do not change when an event counts " +
    "already. Events that have a row in the table events are not sent. The dead letters stay where they are. Exit code 1 " +
    "if resend could not send one of them.",
  actions: ["list", "resend"],
  options,
  examples: [
    ["$0 dead-letters list --project my-project --since 2026-05-01", "lists the newest dead letters since that day"],
    ["$0 dead-letters resend --project my-project --error-type row_refused --dry-run", "reports what would be sent"],
    ["$0 dead-letters resend --project my-project --error-type row_refused", "sends the events of refused rows again"],
    [
      "$0 dead-letters resend --project my-project --from file --state-dir /var/lib/eventlogger",
      "reads the copies on this machine, for example after the table was lost",
    ],
  ],
  check: ({ project, bigqueryEndpoint, since, until }) => [
    ...serviceProblems({ project, bigqueryEndpoint }),
    ...(since !== undefined && until !== undefined && Date.parse(since) >= Date.parse(until)
      ? ["--since (SINCE) must be before --until (UNTIL)"]
      : []),
  ],
  async run(o, action) {
    const isResend = action === "resend";
    const problems = isResend ? serviceProblems(o) : [];
    if (problems.length) throw new ConfigError(problems);
    await requireServices({ ...o, pubsub: isResend, bigquery: { endpoint: o.bigqueryEndpoint } });
    return isResend ? resendAll(o) : list(o);
  },
});
