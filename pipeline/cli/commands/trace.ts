import { dayFromIso } from "@eventlogger/events/day";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { bigqueryOptions, projectOption, pubsubOptions } from "@eventlogger/gcp/gcpOptions";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { colours } from "@eventlogger/options/terminal";
import { traceEvent } from "../../trace/traceEvent";
import { traceLines } from "../../trace/traceLines";
import { FAILED } from "../exitCodes";
import { jsonOption, writeResult } from "../output";
import { mixedOption, requireServices, serviceProblems } from "../services";
import { defineCommand } from "./command";

export const traceCommand = defineCommand({
  details:
    "Shows the raw row, the dead letter, the day in the time zone of the active generation, the session, the person with the " +
    "links of the anonymous id, and whether the record of accepted events has the event. It changes nothing and takes no " +
    "event from the pipeline. Exit code 1 when the event has no row in the table events.",
  argument: "EVENT_ID",
  options: {
    ...projectOption,
    ...pubsubOptions,
    ...bigqueryOptions,
    ...mixedOption,
    since: {
      type: "string",
      describe:
        "First UTC day of receipt that is searched, YYYY-MM-DD. Default: the day before the time in the id if it is a UUIDv7, else 30 days ago",
      optional: true,
      check: (value) => (dayFromIso(value) === undefined ? "must be a date such as 2026-01-31" : undefined),
    },
    ...jsonOption,
  },
  examples: [
    ["$0 trace 0198a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b --project my-project", "shows where the event is"],
    ["$0 trace order-42 --project my-project --since 2026-01-31", "searches rows received since a day"],
    ["$0 trace order-42 --project my-project --json", "prints JSON"],
  ],
  check: serviceProblems,
  async run({ json, ...o }, _action, [eventId = ""]) {
    await requireServices({ ...o, pubsub: true, bigquery: { endpoint: o.bigqueryEndpoint } });
    const bigquery = bigQueryClient({ project: o.project, endpoint: o.bigqueryEndpoint });
    const pubsub = pubSubClient({ project: o.project });
    try {
      const { dataset, topic, subscription, since } = o;
      const trace = await traceEvent({ bigquery, pubsub }, eventId, {
        ...{ dataset, topic, subscription, since },
        now: Date.now(),
      });
      writeResult(json, trace, traceLines(trace, colours(process.stdout)));
      return trace.state === "stored" ? 0 : FAILED;
    } finally {
      await pubsub.close();
    }
  },
});
