import { once } from "node:events";
import { projectOption, pubsubOptions } from "@eventlogger/gcp/gcpOptions";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { wholeNumber, type OptionSpec, type OptionSpecs } from "@eventlogger/options/options";
import { colours } from "@eventlogger/options/terminal";
import { onStopSignals } from "@eventlogger/process/stopSignals";
import { isSelective, passes, type EventFilter } from "../../tail/eventFilter";
import { eventJson, eventLine, invalidLine } from "../../tail/eventLine";
import { tailTopic } from "../../tail/tailTopic";
import { isPubSubEmulated, requireServices, serviceProblems } from "../services";
import { defineCommand } from "./command";

/** A filter has no environment variable: `USER`, for example, is set in every shell. */
const filter = (what: string): OptionSpec & { type: "list"; optional: true } => ({
  type: "list",
  describe: `Only events with this ${what}; several values: a,b; * at the end matches any text`,
  optional: true,
  isFlagOnly: true,
  group: "Filters:",
});

const options = {
  ...projectOption,
  topic: { ...pubsubOptions.topic, describe: "Pub/Sub topic whose events are shown" },
  eventName: filter("event_name"),
  user: filter("user_id"),
  anonymousId: filter("anonymous_id"),
  session: filter("session_id"),
  page: filter("page"),
  country: filter("country"),
  app: filter("app"),
  platform: filter("platform"),
  limit: {
    type: "number",
    describe: "Stop after this number of events. Default: go on until Ctrl-C",
    optional: true,
    check: wholeNumber(1, 1_000_000_000),
  },
  json: {
    type: "boolean",
    describe: "Print one JSON document for each event, on a line of its own",
    default: false,
  },
} as const satisfies OptionSpecs;

/** Writes a line to standard output, and waits while a pipe is full. @returns false when nobody reads it any more */
async function writeLine(line: string): Promise<boolean> {
  try {
    if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain");
    return true;
  } catch {
    return false;
  }
}

export const tailCommand = defineCommand({
  details:
    "Reads the topic by a subscription of its own, so that the pipeline misses nothing. Ctrl-C deletes the subscription; if " +
    "the command is killed, Pub/Sub deletes it after a day. Messages that are not events are shown, too, unless a filter is set.",
  options,
  examples: [
    ["$0 tail --project my-project", "shows all events that arrive from now on"],
    ["$0 tail --project my-project --event-name 'checkout*' --country DE,AT", "shows some of them"],
    ["$0 tail --project my-project --user u-42 --json --limit 10", "prints the next 10 events of a user as JSON lines"],
  ],
  check: ({ project }) =>
    // BigQuery is not used.
    serviceProblems({ project, bigqueryEndpoint: isPubSubEmulated() ? "" : undefined }),
  async run({ project, topic, json, limit = Infinity, user, session, ...o }) {
    await requireServices({ project, pubsub: true });
    const wanted: EventFilter = {
      ...{ event_name: o.eventName, user_id: user, anonymous_id: o.anonymousId, session_id: session },
      ...{ page: o.page, country: o.country, app: o.app, platform: o.platform },
    };
    const paint = colours(process.stdout);
    const stop = onStopSignals();
    // A reader such as `head` that has enough.
    const isRead = new AbortController();
    process.stdout.on("error", () => isRead.abort());
    const pubsub = pubSubClient({ project });
    let count = 0;
    try {
      await tailTopic(pubsub, {
        topic,
        signal: AbortSignal.any([stop.signal, isRead.signal]),
        onStart: (subscription) => {
          process.stderr.write(
            `${colours(process.stderr).dim(`Waiting for events of topic ${topic} (subscription ${subscription}). Ctrl-C stops`)}\n`,
          );
        },
        async show(decoded, messageId) {
          if (!decoded.ok) {
            if (isSelective(wanted)) return true;
            const invalid = { message_id: messageId, error_type: decoded.errorType, error_message: decoded.message };
            return writeLine(json ? JSON.stringify(invalid) : invalidLine(messageId, decoded.message, paint));
          }
          if (!passes(decoded.event, wanted)) return true;
          return (await writeLine(json ? eventJson(decoded) : eventLine(decoded, paint))) && ++count < limit;
        },
      });
    } finally {
      stop.dispose();
      await pubsub.close();
    }
    return 0;
  },
});
