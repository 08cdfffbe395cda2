import { bigqueryOptions, projectOption } from "../../config/connection";
import { bigQueryClient } from "../bigquery/client";
import { verifyRollups, type Difference } from "../bigquery/verify";
import { defineCommand } from "./command";
import { colours } from "./terminal";

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
    sessionGap: {
      type: "duration",
      describe: "Session gap that the pipeline runs with",
      default: 30 * 60_000,
      check: (ms) => (ms > 0 ? undefined : "must be more than nothing"),
    },
  },
  examples: [
    ["$0 verify --project my-project", "the dataset analytics"],
    ["$0 verify --bigquery-endpoint http://127.0.0.1:9050 --session-gap 10m", "on an emulator, with another gap"],
  ],
  async run({ project, bigqueryEndpoint, dataset, sessionGap }) {
    const { red, green } = colours(process.stdout);
    const bigquery = bigQueryClient({ project, endpoint: bigqueryEndpoint });
    const { differences, equalDays } = await verifyRollups(bigquery, { dataset, gapMs: sessionGap });
    for (const difference of differences) process.stdout.write(`${red("different")} ${describe(difference)}\n`);
    if (differences.length === 0) {
      process.stdout.write(`${green("equal")} ${equalDays} days equal\n`);
      return 0;
    }
    const days = new Set(differences.map((d) => d.date)).size;
    process.stdout.write(`${differences.length} differences on ${days} days, ${equalDays} days equal\n`);
    return 1;
  },
});
