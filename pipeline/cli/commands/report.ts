import { dayFromIso } from "@eventlogger/events/day";
import { csvText, type ValueTable } from "@eventlogger/events/table/csv";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { dimensionProblem } from "@eventlogger/gcp/bigquery/breakdowns/dimensions";
import { readBreakdown } from "@eventlogger/gcp/bigquery/breakdowns/readBreakdown";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { readDailyRollups } from "@eventlogger/gcp/bigquery/dailyRollups";
import { readActiveGeneration, timeZoneOf } from "@eventlogger/gcp/bigquery/generations";
import { bigqueryOptions, projectOption } from "@eventlogger/gcp/gcpOptions";
import { wholeNumber, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { Progress } from "@eventlogger/options/progress";
import { colours } from "@eventlogger/options/terminal";
import { UserError } from "@eventlogger/process/main";
import { jsonOption } from "../output";
import { breakdownReport } from "../report/breakdownReport";
import { dailyReport } from "../report/dailyReport";
import { markdownLines } from "../report/markdown";
import type { Report } from "../report/report";
import { DEFAULT_DAYS, reportRange } from "../report/reportDays";
import { requireServices, serviceProblems } from "../services";
import { alignedLines, type Alignment } from "../textTable";
import { defineCommand } from "./command";

const day = (text: string): string | undefined =>
  dayFromIso(text) === undefined ? "must be a day such as 2026-01-31" : undefined;

const options = {
  ...projectOption,
  ...bigqueryOptions,
  from: {
    type: "string",
    describe: `First day, in the time zone of the numbers (YYYY-MM-DD). Default: ${DEFAULT_DAYS} days end with the last day`,
    optional: true,
    check: day,
    group: "Report:",
  },
  to: {
    type: "string",
    describe: "Last day (YYYY-MM-DD). Default: today in the time zone of the numbers",
    optional: true,
    check: day,
    group: "Report:",
  },
  by: {
    type: "string",
    describe:
      "Show the values of a dimension with most events, such as country or properties.plan. `eventlogger refresh` computes them",
    optional: true,
    group: "Report:",
  },
  limit: {
    type: "number",
    describe: "With --by: number of values that are listed. The others are added up",
    default: 10,
    check: wholeNumber(1, 1000),
    group: "Report:",
  },
  csv: { type: "boolean", describe: "Print the numbers as CSV, with ISO dates", default: false },
  md: { type: "boolean", describe: "Print the numbers as a table in Markdown", default: false },
  ...jsonOption,
} as const satisfies OptionSpecs;

type Values = Options<typeof options>;

/** @throws UserError when the dataset has no numbers, or none of the dimension */
async function readReport(o: Values): Promise<Report> {
  const bigquery = bigQueryClient({ project: o.project, endpoint: o.bigqueryEndpoint });
  const paint = colours(process.stdout);
  const active = await readActiveGeneration(bigquery, o.dataset);
  if (!active) {
    throw new UserError(
      `Dataset ${o.dataset} has no numbers yet. The first start of the pipeline creates them: \`eventlogger run\``,
    );
  }
  const asOf = new Date();
  const range = reportRange(o, TimeZone.of(timeZoneOf(active.settings)), asOf.getTime());
  if (o.by === undefined) return dailyReport(await readDailyRollups(bigquery, o.dataset, range), range, asOf, paint);
  const breakdown = await readBreakdown(bigquery, o.dataset, { dimension: o.by, range, limit: o.limit });
  const { dimensions, refreshedAt } = breakdown;
  if (refreshedAt === null) {
    throw new UserError(`Dataset ${o.dataset} has no breakdowns yet. \`eventlogger refresh\` computes them`);
  }
  if (!dimensions.includes(o.by)) {
    throw new UserError(
      `The last refresh did not compute ${o.by}, but ${dimensions.join(", ")}. ` +
        `Add it: \`eventlogger refresh --breakdowns ${[...dimensions, o.by].join(",")}\``,
    );
  }
  return breakdownReport(breakdown, paint);
}

/** The rows as aligned lines, without anything else, for other programs. */
function plainLines({ columns, rows }: ValueTable): string[] {
  const text = rows.map((row) => row.map((value) => (value === null ? "-" : String(value))));
  const alignments = columns.map((_, i): Alignment => (typeof rows[0]?.[i] === "number" ? "right" : "left"));
  return alignedLines([columns, ...text], alignments);
}

function textOf(report: Report, { json, csv, md }: Values): string {
  if (json) return `${JSON.stringify(report.document, null, 2)}\n`;
  if (csv) return csvText(report.table);
  const { isTTY, columns } = process.stdout;
  const lines = md ? markdownLines(report.table) : isTTY ? report.lines(columns || 80) : plainLines(report.table);
  return lines.map((line) => `${line}\n`).join("");
}

export const reportCommand = defineCommand({
  details:
    "Reads the active generation. On a terminal it shows a table and small charts; otherwise only the numbers. " +
    "Days without events have no row. A person who is active on two days counts twice in person days.",
  options,
  examples: [
    ["$0 report --project my-project", `shows the last ${DEFAULT_DAYS} days`],
    ["$0 report --project my-project --from 2026-05-01 --to 2026-05-31 --csv", "prints a month as CSV"],
    ["$0 report --project my-project --by country --limit 5", "shows the five countries with most events"],
    ["$0 report --project my-project --by properties.plan --md", "prints the plans as a table in Markdown"],
    ["$0 report --bigquery-endpoint http://127.0.0.1:9050 --json", "reads an emulator, and prints JSON"],
  ],
  check: ({ from, to, by, json, csv, md, ...services }) => {
    const problems = serviceProblems(services);
    if (from !== undefined && to !== undefined && from > to) {
      problems.push(`--from (FROM) must not be after --to (TO): ${from} is after ${to}`);
    }
    const formats = Object.entries({ csv, json, md }).flatMap(([name, isGiven]) => (isGiven ? [`--${name}`] : []));
    if (formats.length > 1) problems.push(`${formats.join(" and ")} exclude each other`);
    if (by !== undefined) {
      const problem = dimensionProblem(by);
      if (problem !== undefined) problems.push(`--by (BY): ${problem}`);
    }
    return problems;
  },
  async run(o) {
    await requireServices({ project: o.project, bigquery: { endpoint: o.bigqueryEndpoint } });
    const report = await new Progress(process.stderr).step("reading the numbers", () => readReport(o));
    process.stdout.write(textOf(report, o));
    return 0;
  },
});
