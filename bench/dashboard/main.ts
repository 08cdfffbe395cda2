/** `npm run bench:dashboard`: how soon the dashboard shows 365 days, and how fast ingest answers reads from its cache. */
import { request, Agent } from "node:http";
import path from "node:path";
import type { Browser } from "playwright-core";
import yargs from "yargs";
import { dayToIso } from "@eventlogger/events/day";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { timeZoneProblem } from "@eventlogger/events/zone/zoneName";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { PERSONS_STATE_FORMAT, recordGeneration } from "@eventlogger/gcp/bigquery/generations";
import { setUpBigQuery } from "@eventlogger/gcp/bigquery/setup/setUpBigQuery";
import { startBigQueryEmulator } from "@eventlogger/gcp/emulators/emulators";
import { startReadReplica } from "@eventlogger/ingest/testing/readReplica";
import { readOptions, wholeNumber, yargsOptions, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { UserError } from "@eventlogger/process/main";
import { findChromium, startChromium } from "@eventlogger/tools/chromium";
import { formatTable } from "../figures";
import { machine, percentile } from "../report";
import { runBenchmark, type Cleanup } from "../runBenchmark";
import { writeNumbers } from "./numbers";

const benchOptions = {
  pages: { type: "number", describe: "Number of pages that are opened.", default: 15, check: wholeNumber(1, 1000) },
  requests: {
    type: "number",
    describe: "Number of requests to each path.",
    default: 3000,
    check: wholeNumber(100, 1_000_000),
  },
  timeZone: {
    type: "string",
    describe: "Time zone of the numbers. Pictures show more hours of today where it is afternoon.",
    default: "UTC",
    check: timeZoneProblem,
  },
  screenshots: {
    type: "string",
    describe: "Folder for pictures of the dashboard, as those in docs/images.",
    optional: true,
  },
} as const satisfies OptionSpecs;

const PROJECT = "demo-project";
const DATASET = "bench";
const DAYS = 365;
/** Requests in flight. */
const CONCURRENCY = 4;

/** Times since the start of the navigation, ms. */
interface PageTimes {
  /** First contentful paint: the frame of the page. */
  readonly paint: number;
  /** The tiles and the chart have their numbers. */
  readonly numbers: number;
  /** Breakdowns, hours and retention have theirs, too. */
  readonly all: number;
}

/** Opens the dashboard in an empty profile. */
async function openPage(browser: Browser, url: string): Promise<PageTimes> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  await page.goto(`${url}/dashboard/?range=365d`);
  await page.locator("#breakdown-4 .card-body > table").waitFor();
  await page.locator("#retention .card-body > *").waitFor();
  const times = await page.evaluate<PageTimes>(`({
    paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
    numbers: performance.getEntriesByName("dashboard-shown")[0].startTime,
    all: performance.getEntriesByName("dashboard-shown").at(-1).startTime,
  })`);
  await context.close();
  return times;
}

/** Pictures of the upper part of the page. */
async function keepPictures(browser: Browser, url: string, folder: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await browser.newPage({ viewport: { width: 1280, height: 1080 }, colorScheme, locale: "en-GB" });
    await page.goto(`${url}/dashboard/`);
    await page.locator("#breakdown-2 .card-body > table").waitFor();
    await page.screenshot({ path: path.join(folder, `dashboard-${colorScheme}.png`) });
    await page.close();
  }
}

/** Sends a GET over a connection that is kept. @returns the time until the whole answer is there, ms */
function timedGet(url: string, agent: Agent): Promise<number> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    request(url, { agent }, (response) => {
      response.resume().once("end", () => {
        if (response.statusCode === 200) resolve(performance.now() - started);
        else reject(new Error(`${url} answered ${response.statusCode}`));
      });
    })
      .once("error", reject)
      .end();
  });
}

async function readTimes(url: string, requests: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
  const times: number[] = [];
  let left = requests;
  const work = async (): Promise<void> => {
    while (left-- > 0) times.push(await timedGet(url, agent));
  };
  // Fills the cache, and lets the compiler warm up.
  for (let i = 0; i < 50; i++) await timedGet(url, agent);
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  agent.destroy();
  return times;
}

const row = (name: string, values: readonly number[], digits: number): string[] => [
  name,
  ...[50, 99, 100].map((p) => `${percentile(values, p).toFixed(digits)} ms`),
];

async function measure(
  { pages, requests, timeZone, screenshots }: Options<typeof benchOptions>,
  cleanup: Cleanup,
): Promise<void> {
  if (findChromium() === undefined)
    throw new UserError("There is no Chromium on the path: run npm test once, or install it");
  const file = (name: string): string => path.join(cleanup.directory, name);
  console.log(machine());
  const emulator = await startBigQueryEmulator({
    dataDir: file("data"),
    logFile: file("bigquery.log"),
    project: PROJECT,
  });
  cleanup.later(() => emulator.stop());
  const bigquery = bigQueryClient({ project: PROJECT, endpoint: emulator.url });
  await setUpBigQuery(bigquery, { dataset: DATASET });
  await recordGeneration(bigquery, DATASET, { sessionGapMs: 1_800_000, stateFormat: PERSONS_STATE_FORMAT, timeZone });
  const today = TimeZone.of(timeZone).dayOf(Date.now());
  await writeNumbers(bigquery, DATASET, { today, days: 2 * DAYS + 30, breakdownDays: DAYS, timeZone });
  const replica = await startReadReplica(file("replica.log"), {
    ...{ PROJECT, DATASET, BIGQUERY_ENDPOINT: emulator.url, QUERY_TIMEOUT: "60s", CACHE_TTL: "1h" },
  });
  cleanup.later(() => replica.process.stop());
  const browser = await startChromium();
  cleanup.later(() => browser.close());

  if (screenshots !== undefined) await keepPictures(browser, replica.url, screenshots);
  const first = await openPage(browser, replica.url);
  console.log(
    `\nwith queries of the emulator: numbers after ${Math.round(first.numbers)} ms, all after ${Math.round(first.all)} ms`,
  );
  const opened: PageTimes[] = [];
  for (let i = 0; i < pages; i++) opened.push(await openPage(browser, replica.url));
  console.log(
    `\n${DAYS} days with the ${DAYS} days before, in an empty browser profile, numbers from the cache, ${pages} pages\n` +
      formatTable([
        ["", "median", "p99", "max"],
        row(
          "first contentful paint",
          opened.map(({ paint }) => paint),
          0,
        ),
        row(
          "tiles and chart",
          opened.map(({ numbers }) => numbers),
          0,
        ),
        row(
          "everything",
          opened.map(({ all }) => all),
          0,
        ),
      ]),
  );
  const range = `from=${dayToIso(today - DAYS + 1)}&to=${dayToIso(today)}`;
  const paths = [
    `/event/?${range}`,
    `/retention/?${range}`,
    `/breakdowns/?dimension=country&${range}`,
    `/hours/?date=${dayToIso(today)}`,
    "/dashboard/",
  ];
  const table = [["", "median", "p99", "max"]];
  for (const each of paths) table.push(row(each.replace(/\?.*/, ""), await readTimes(replica.url + each, requests), 2));
  console.log(`\nanswers from the cache, ${requests} requests each, ${CONCURRENCY} in flight\n${formatTable(table)}`);
}

runBenchmark("bench-dashboard", async (cleanup) => {
  const flags = yargs(process.argv.slice(2))
    .scriptName("npm run bench:dashboard --")
    .usage("$0 [options]\n\nMeasures the dashboard in Chromium and the answers that it reads, with made-up numbers.")
    .options(yargsOptions(benchOptions))
    .example("$0 --pages 50", "more pages")
    .example("$0 --pages 1 --screenshots docs/images", "makes the pictures of the README anew")
    .strict()
    .version(false)
    .parseSync();
  await measure(readOptions(benchOptions, flags), cleanup);
});
