import { bigqueryOptions, projectOption } from "@eventlogger/gcp/gcpOptions";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { verifyRollups, type Difference } from "@eventlogger/gcp/bigquery/verify";
import { defineCommand } from "./command";
import { jsonOption, writeResult } from "../output";
import { numberOptions } from "../numberOptions";
import { colours } from "@eventlogger/options/terminal";

function describe({ date, number, expected, actual }: Difference): string {
  if (number !== "day") return `${date}  ${number}: ${actual}, but the raw events give ${expected}`;
  if (actual === undefined) return `${date}  missing in the rollups, though the raw events give ${expected} sessions`;
  return `${date}  in the rollups with ${actual} sessions, though there are no events that day`;
}

export const verifyCommand = defineCommand({
  name: "verify",
  summary: "Recompute every rollup from the raw events and print each difference",
  details:
    "Exit code 1 when there is a difference. Reads the whole raw table. While events flow, the raw table and the\n" +
    "rollups are not at the same point: run it when traffic rests.",
  options: {
    ...projectOption,
    ...bigqueryOptions,
    sessionGap: { ...numberOptions.sessionGap, describe: "Session gap that the pipeline runs with" },
    ...jsonOption,
  },
  examples: [
    ["$0 verify --project my-project", "the dataset analytics"],
    ["$0 verify --project my-project --json", "for a program"],
    ["$0 verify --bigquery-endpoint http://127.0.0.1:9050 --session-gap 10m", "on an emulator, with another gap"],
  ],
  async run({ project, bigqueryEndpoint, dataset, sessionGap, json }) {
    const { red, green } = colours(process.stdout);
    const bigquery = bigQueryClient({ project, endpoint: bigqueryEndpoint });
    const { differences, equalDays } = await verifyRollups(bigquery, { dataset, gapMs: sessionGap });
    const days = new Set(differences.map((d) => d.date)).size;
    const sum = `${differences.length} differences on ${days} days, ${equalDays} days equal`;
    writeResult(json, { equal: differences.length === 0, equalDays, differences }, [
      ...differences.map((difference) => `${red("different")} ${describe(difference)}`),
      differences.length === 0 ? `${green("equal")} ${equalDays} days equal` : sum,
    ]);
    return differences.length === 0 ? 0 : 1;
  },
});
