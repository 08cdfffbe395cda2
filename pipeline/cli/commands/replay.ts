import { bigqueryOptions, projectOption, pubsubOptions } from "@eventlogger/gcp/gcpOptions";
import { wholeNumber, type OptionSpecs } from "@eventlogger/options/options";
import { dayFromIso } from "@eventlogger/events/day";
import { jsonOption } from "../output";
import { mixedOption, serviceProblems } from "../services";
import { defineCommand } from "./command";

const day = (text: string): string | undefined =>
  dayFromIso(text) === undefined ? "must be a day such as 2026-01-31" : undefined;

const options = {
  ...projectOption,
  topic: { ...pubsubOptions.topic, describe: "Pub/Sub topic for published events; the replay topic is named after it" },
  subscription: {
    ...pubsubOptions.subscription,
    describe: "Pub/Sub subscription of generation 1; the replay subscription is named after it",
  },
  ...bigqueryOptions,
  ...mixedOption,
  from: {
    type: "string",
    describe: "First day of the rows, in UTC (YYYY-MM-DD). Required",
    optional: true,
    check: day,
    group: "Replay:",
  },
  to: {
    type: "string",
    describe: "Last day of the rows, in UTC. Default: today",
    optional: true,
    check: day,
    group: "Replay:",
  },
  by: {
    type: "enum",
    choices: ["received", "event"],
    describe:
      "Which day of a row counts: received, on which the server received it (reads only the partitions of these days), or event, its " +
      "event_date (reads the whole table)",
    default: "received",
    group: "Replay:",
  },
  generation: {
    type: "number",
    describe: "Generation whose ledgers get the events. Default: the active one",
    optional: true,
    check: wholeNumber(1, Number.MAX_SAFE_INTEGER),
    group: "Replay:",
  },
  deadLetters: {
    type: "boolean",
    describe:
      "Replay the events of dead letters that failed on these days, instead of rows. Events without a row are sent like new ones",
    default: false,
    group: "Replay:",
  },
  rate: {
    type: "number",
    describe: "Events per second; 0 replays as fast as Pub/Sub accepts them",
    default: 0,
    check: (n) => (n >= 0 ? undefined : "must be 0 or more"),
    group: "Replay:",
  },
  dryRun: {
    type: "boolean",
    describe: "Publish nothing, and report the number of rows, what BigQuery would read and what it costs",
    default: false,
    group: "Replay:",
  },
  ...jsonOption,
} as const satisfies OptionSpecs;

export const replayCommand = defineCommand({
  details:
    "Publishes rows of the table events to the replay topic of a generation, whose pipeline counts them. An event that counts " +
    "already changes nothing, so that a replay can be repeated, and an interrupted one started again. For example after rows " +
    "were restored from a backup or repaired. No rows are written. Live events keep coming first. Exit code 130 after Ctrl-C.",
  options,
  examples: [
    [
      "$0 replay --project my-project --from 2026-05-01 --to 2026-05-03",
      "replays the rows that were received on three days",
    ],
    [
      "$0 replay --project my-project --from 2026-05-01 --to 2026-05-01 --by event",
      "replays the events of a day, whenever they were received",
    ],
    ["$0 replay --project my-project --from 2026-05-01 --dry-run", "reports rows and costs, and replays nothing"],
    ["$0 replay --project my-project --from 2026-01-01 --rate 2000", "replays 2,000 events a second"],
    [
      "$0 replay --project my-project --from 2026-05-01 --dead-letters",
      "replays the events of dead letters that have a row now, and sends the others again",
    ],
  ],
  check: ({ project, bigqueryEndpoint, mixed, from, to, by, deadLetters }) => [
    ...serviceProblems({
      ...(project !== undefined && { project }),
      ...(bigqueryEndpoint !== undefined && { bigqueryEndpoint }),
      ...(mixed !== undefined && { mixed }),
    }),
    ...(from === undefined ? ["--from (FROM) is required, such as --from 2026-01-31"] : []),
    ...(from !== undefined && to !== undefined && from > to ? ["--from (FROM) must not be after --to (TO)"] : []),
    ...(deadLetters && by === "event"
      ? [
          "--by (BY) event cannot be combined with --dead-letters (DEAD_LETTERS), whose days are those on which they failed",
        ]
      : []),
  ],
  async run(o) {
    const { replay } = await import("../replay/replay.js");
    return replay({ ...o, from: o.from ?? "", to: o.to ?? new Date().toISOString().slice(0, 10) });
  },
});
