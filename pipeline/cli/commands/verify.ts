import { dayFromIso } from "@eventlogger/events/day";
import { timeZoneProblem } from "@eventlogger/events/zone/zoneName";
import { bigqueryOptions, projectOption } from "@eventlogger/gcp/gcpOptions";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { verifyDataset } from "@eventlogger/gcp/bigquery/verify/verify";
import { wholeNumber } from "@eventlogger/options/options";
import { Progress } from "@eventlogger/options/progress";
import { defineCommand } from "./command";
import { jsonOption, writeResult } from "../output";
import { metricsFileOption, metricsText, writeMetricsFile } from "../metricsFile/metricsFile";
import { verificationMetrics } from "../metricsFile/verificationMetrics";
import { numberOptions } from "../numberOptions";
import { requireServices, serviceProblems } from "../services";
import { verificationLines } from "../verificationLines";
import { colours } from "@eventlogger/options/terminal";

/** The moment of `YYYY-MM-DD` (its start) or of an ISO 8601 time, as ISO 8601 in UTC; undefined for anything else. */
function moment(text: string): string | undefined {
  if (dayFromIso(text) !== undefined) return `${text}T00:00:00.000Z`;
  const ms = /^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2})$/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}

export const verifyCommand = defineCommand({
  details:
    "Recomputes the rollups from the raw events, compares the record of accepted events with the raw events, and counts the " +
    "dead letters. Exit code 1 if a number differs, an event is missing, or a dead letter is unexplained. While events " +
    "arrive, the rollups lag behind the raw events, so run it when there is no traffic.",
  options: {
    ...projectOption,
    ...bigqueryOptions,
    generation: {
      type: "number",
      describe: "Generation to verify; by default the active one",
      optional: true,
      check: wholeNumber(1, 1_000_000),
    },
    since: {
      type: "string",
      describe: "Compare only the days of rows that were received or written since this day (YYYY-MM-DD)",
      optional: true,
      check: (text) => (dayFromIso(text) === undefined ? "must be a day such as 2026-01-31" : undefined),
    },
    deadLettersUntil: {
      type: "string",
      describe: "Do not report invalid messages that became dead letters until this time (2026-01-31T12:00:00Z)",
      optional: true,
      check: (text) =>
        moment(text) === undefined
          ? "must be a time such as 2026-01-31T12:00:00Z, or a day such as 2026-01-31"
          : undefined,
    },
    sessionGap: {
      type: "duration",
      describe: "Session gap of the pipeline; by default that of the generation",
      optional: true,
      check: numberOptions.sessionGap.check,
    },
    timeZone: {
      type: "string",
      describe: "Time zone of the days, as an IANA name; by default that of the generation",
      optional: true,
      check: timeZoneProblem,
    },
    ...metricsFileOption,
    ...jsonOption,
  },
  examples: [
    ["$0 verify --project my-project", "verifies the dataset analytics"],
    ["$0 verify --project my-project --since 2026-01-31", "verifies the days of rows received since a day"],
    ["$0 verify --project my-project --generation 2", "verifies a generation that readers do not see"],
    ["$0 verify --project my-project --json", "prints JSON"],
    [
      "$0 verify --project my-project --metrics-file /var/lib/node_exporter/eventlogger_verify.prom",
      "also writes the result as metrics of Prometheus",
    ],
    ["$0 verify --bigquery-endpoint http://127.0.0.1:9050", "uses an emulator"],
  ],
  check: serviceProblems,
  async run({ project, bigqueryEndpoint, dataset, generation, since, deadLettersUntil, ...o }) {
    await requireServices({ project, bigquery: { endpoint: bigqueryEndpoint } });
    const bigquery = bigQueryClient({ project, endpoint: bigqueryEndpoint });
    const progress = new Progress(process.stderr);
    const startedAt = Date.now();
    const verification = await verifyDataset(bigquery, {
      ...{ dataset, generation, since, gapMs: o.sessionGap, timeZone: o.timeZone },
      deadLettersUntil: deadLettersUntil === undefined ? undefined : moment(deadLettersUntil),
      step: (name, work) => progress.step(name, work),
    });
    const { isEqual, gapMs: sessionGapMs, days, bytesScanned, ...found } = verification;
    const document = { equal: isEqual, ...found, sessionGapMs, since, comparedDays: days, bytesScanned };
    writeResult(o.json, document, verificationLines(verification, { since, ...colours(process.stdout) }));
    if (o.metricsFile !== undefined) {
      const metrics = verificationMetrics(verification, { startedAt, endedAt: Date.now() });
      const labels = { dataset, generation: String(verification.generation) };
      await writeMetricsFile(o.metricsFile, await metricsText(metrics, labels));
    }
    return isEqual ? 0 : 1;
  },
});
