import { bigqueryOptions, projectOption } from "@eventlogger/gcp/gcpOptions";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { verifyRollups, type Difference } from "@eventlogger/gcp/bigquery/verify";
import { defineCommand } from "./command";
import { jsonOption, writeResult } from "../output";
import { numberOptions } from "../numberOptions";
import { requireServices, serviceProblems } from "../services";
import { colours } from "@eventlogger/options/terminal";

function describe({ date, number, expected, actual }: Difference): string {
  if (number !== "day") return `${date}  ${number} is ${actual}, but ${expected} according to the raw events`;
  if (actual === undefined) return `${date}  is missing in the rollups, but the raw events have ${expected} sessions`;
  return `${date}  has ${actual} sessions in the rollups, but no raw events`;
}

export const verifyCommand = defineCommand({
  name: "verify",
  summary: "Recompute all rollups from the raw events and print each difference",
  details:
    "Exit code 1 if there is a difference. Reads the whole table of raw events. While events arrive, the rollups lag behind " +
    "the raw events, so run it when there is no traffic.",
  options: {
    ...projectOption,
    ...bigqueryOptions,
    sessionGap: { ...numberOptions.sessionGap, describe: "Session gap of the pipeline" },
    ...jsonOption,
  },
  examples: [
    ["$0 verify --project my-project", "verifies the dataset analytics"],
    ["$0 verify --project my-project --json", "prints JSON"],
    [
      "$0 verify --bigquery-endpoint http://127.0.0.1:9050 --session-gap 10m",
      "uses an emulator and another session gap",
    ],
  ],
  check: serviceProblems,
  async run({ project, bigqueryEndpoint, dataset, sessionGap, json }) {
    const { red, green } = colours(process.stdout);
    await requireServices({ project, bigquery: { endpoint: bigqueryEndpoint } });
    const bigquery = bigQueryClient({ project, endpoint: bigqueryEndpoint });
    const { differences, equalDays } = await verifyRollups(bigquery, { dataset, gapMs: sessionGap });
    const days = new Set(differences.map((d) => d.date)).size;
    const summary = `${differences.length} differences on ${days} days, ${equalDays} days equal`;
    writeResult(json, { equal: differences.length === 0, equalDays, differences }, [
      ...differences.map((difference) => `${red("different")} ${describe(difference)}`),
      differences.length === 0 ? `${green("equal")} ${equalDays} days equal` : summary,
    ]);
    return differences.length === 0 ? 0 : 1;
  },
});
