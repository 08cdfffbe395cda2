/** `npm run bench:refresh`: measures how long a refresh of the breakdowns takes, of one day with many rows on the BigQuery emulator. */
import path from "node:path";
import { DAY_MS, dayToIso } from "@eventlogger/events/day";
import { refreshBreakdowns } from "@eventlogger/gcp/bigquery/breakdowns/refreshBreakdowns";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { PERSONS_STATE_FORMAT, recordGeneration } from "@eventlogger/gcp/bigquery/generations";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { setUpBigQuery } from "@eventlogger/gcp/bigquery/setup/setUpBigQuery";
import { startBigQueryEmulator } from "@eventlogger/gcp/emulators/emulators";
import { readOptions, wholeNumber, yargsOptions, type Options, type OptionSpecs } from "@eventlogger/options/options";
import yargs from "yargs";
import { formatTable } from "./figures";
import { machine } from "./report";
import { runBenchmark, type Cleanup } from "./runBenchmark";

const benchOptions = {
  rows: { type: "number", describe: "Rows of the day.", default: 1_000_000, check: wholeNumber(1000, 100_000_000) },
} as const satisfies OptionSpecs;

const DATASET = "bench";
const DIMENSIONS = ["event_name", "app", "country", "page", "platform", "properties.plan"];

/**
 * Rows of one day: 10 events per session, 25 per user, half of them with an anonymous id of their own, 200 pages with a long tail, 40
 * countries, 1 of 20 rows by bots.
 */
function rowsSql(rows: number, date: string): string {
  const time = `TIMESTAMP_ADD(TIMESTAMP '${date} 00:00:00+00', INTERVAL MOD(i * 7919, 86400000) MILLISECOND)`;
  return `
INSERT INTO ${DATASET}.events (
  event_id, session_id, event_name, event_time, event_date, user_id, anonymous_id, page, country, app, platform, is_bot, properties,
  received_at, received_date
)
SELECT
  CONCAT('e', CAST(i AS STRING)), CONCAT('s', CAST(DIV(i, 10) AS STRING)),
  CONCAT('name', CAST(MOD(i, 12) AS STRING)), ${time}, DATE '${date}',
  IF(MOD(i, 3) = 0, NULL, CONCAT('u', CAST(DIV(i, 25) AS STRING))),
  IF(MOD(i, 2) = 0, NULL, CONCAT('a', CAST(DIV(i, 25) AS STRING))),
  CONCAT('/page/', CAST(DIV(MOD(i * 31, 200) * MOD(i, 200), 200) AS STRING)),
  CONCAT('C', CAST(MOD(DIV(i, 10), 40) AS STRING)), CONCAT('app', CAST(MOD(DIV(i, 10), 3) AS STRING)),
  CONCAT('platform', CAST(MOD(DIV(i, 10), 4) AS STRING)), MOD(i, 20) = 0,
  PARSE_JSON(CONCAT('{"plan":"plan', CAST(MOD(i, 5) AS STRING), '","amount":', CAST(i AS STRING), '}')),
  TIMESTAMP_ADD(${time}, INTERVAL 1 SECOND), DATE '${date}'
FROM UNNEST(GENERATE_ARRAY(1, ${rows})) AS i`;
}

async function measure({ rows }: Options<typeof benchOptions>, cleanup: Cleanup): Promise<void> {
  console.log(machine());
  const project = "demo-project";
  const emulator = await startBigQueryEmulator({
    ...{
      project,
      dataDir: path.join(cleanup.directory, "data"),
      logFile: path.join(cleanup.directory, "emulator.log"),
    },
  });
  cleanup.later(() => emulator.stop());
  const bigquery = bigQueryClient({ project, endpoint: emulator.url });
  await setUpBigQuery(bigquery, { dataset: DATASET });
  await recordGeneration(bigquery, DATASET, { sessionGapMs: 30 * 60_000, stateFormat: PERSONS_STATE_FORMAT });
  const date = dayToIso(Math.floor(Date.now() / DAY_MS) - 1);
  await runQuery(bigquery, rowsSql(rows, date));
  console.log(`  ${rows.toLocaleString("en")} rows of ${date} written`);
  const table: string[][] = [["", "first refresh", "another row", "nothing new"]];
  const times: Record<string, number[]> = {};
  for (const run of [0, 1, 2]) {
    if (run === 1) await runQuery(bigquery, rowsSql(1, date));
    const startedAt = performance.now();
    await refreshBreakdowns(bigquery, {
      ...{ dataset: DATASET, dimensions: DIMENSIONS },
      step: async (name, work) => {
        const from = performance.now();
        const result = await work();
        (times[name.replace(/ of .*-.*/, "")] ??= [])[run] = performance.now() - from;
        return result;
      },
    });
    (times["all"] ??= [])[run] = performance.now() - startedAt;
  }
  for (const [name, ms] of Object.entries(times)) {
    table.push([name, ...[0, 1, 2].map((run) => (ms[run] === undefined ? "" : `${(ms[run] / 1000).toFixed(2)} s`))]);
  }
  console.log(`\n${DIMENSIONS.length} dimensions\n${formatTable(table)}`);
}

runBenchmark("bench-refresh", async (cleanup) => {
  const flags = yargs(process.argv.slice(2))
    .scriptName("npm run bench:refresh --")
    .usage("$0 [options]\n\nMeasures a refresh of the breakdowns of one day on the BigQuery emulator.")
    .options(yargsOptions(benchOptions))
    .example("$0 --rows 100000", "a smaller day")
    .strict()
    .version(false)
    .parseSync();
  await measure(readOptions(benchOptions, flags), cleanup);
});
