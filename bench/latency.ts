/** `npm run bench:latency`: measures the time from the 204 to the new number in `GET /event/`, with default options, under load. */
import path from "node:path";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { readOptions, wholeNumber, yargsOptions, type Options, type OptionSpecs } from "@eventlogger/options/options";
import yargs from "yargs";
import { freePort } from "@eventlogger/process/ports";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { startStack } from "@eventlogger/local/stack/stack";
import { startChildProcess } from "@eventlogger/process/childProcess";
import { machine, percentile } from "./report";
import { runBenchmark, type Cleanup } from "./runBenchmark";
import { formatTable } from "./figures";
import { dayOf, dayStart, dayToDdMmYyyy } from "@eventlogger/events/day";

const benchOptions = {
  rate: { type: "number", describe: "Load, in events per second.", default: 200, check: wholeNumber(0, 10_000) },
  probes: { type: "number", describe: "Number of measurements.", default: 20, check: wholeNumber(1, 1000) },
  json: { type: "string", describe: "File for the measured times, in ms, as JSON.", optional: true },
} as const satisfies OptionSpecs;

const GIVE_UP_MS = 60_000;
/** Time between two reads of the number; the resolution of a measurement. */
const POLL_MS = 50;

interface DailyStat {
  date: string;
  session_count: number;
  active_user_count: number;
}

async function statOf(url: string, day: number): Promise<Pick<DailyStat, "session_count" | "active_user_count">> {
  const answer = (await (await fetch(`${url}/event/`)).json()) as { daily_stats: DailyStat[] };
  const found = answer.daily_stats.find((d) => d.date === dayToDdMmYyyy(day));
  return found ?? { session_count: 0, active_user_count: 0 };
}

async function post(url: string, event: object): Promise<void> {
  const body = JSON.stringify(event);
  const answer = await fetch(`${url}/event/`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body,
  });
  if (answer.status !== 204) throw new Error(`POST /event/ answered ${answer.status}: ${await answer.text()}`);
}

/** The times until the number of users and the number of sessions changed, ms. */
interface Probe {
  readonly users: number;
  readonly sessions: number;
}

/**
 * Sends an event of a new user and a new session just after the next midnight: on a day without other traffic, and ahead
 * of the watermark, so that the session waits like any open session.
 */
async function probe(url: string, n: number, signal: AbortSignal): Promise<Probe> {
  const day = dayOf(Date.now()) + 1;
  const time = dayStart(day) + 1000;
  const before = await statOf(url, day);
  await post(url, {
    type: "event",
    session_id: `probe-${Date.now()}-${n}`,
    user_id: `probe-${Date.now()}-${n}`,
    event_name: "probe",
    event_time: time,
  });
  const accepted = performance.now();
  let users = NaN;
  let sessions = NaN;
  for (;;) {
    await sleep(POLL_MS, undefined, { signal });
    const { session_count, active_user_count } = await statOf(url, day);
    const passed = performance.now() - accepted;
    if (Number.isNaN(users) && active_user_count > before.active_user_count) users = passed;
    if (Number.isNaN(sessions) && session_count > before.session_count) sessions = passed;
    if (!Number.isNaN(users + sessions)) return { users, sessions };
    if (passed > GIVE_UP_MS) throw new Error(`The numbers did not change within ${GIVE_UP_MS / 1000} s`);
  }
}

/** A row of the table: seconds. */
function summary(name: string, values: readonly number[]): string[] {
  return [name, ...[50, 95, 100].map((p) => `${(percentile(values, p) / 1000).toFixed(2)} s`)];
}

async function measure({ rate, probes, json }: Options<typeof benchOptions>, cleanup: Cleanup): Promise<void> {
  const { directory, signal } = cleanup;
  console.log(machine());
  const stack = await startStack({
    port: await freePort(),
    localDir: path.join(directory, "local"),
    refreshEvery: undefined,
    onProgress: (line) => console.log(`  ${line}`),
    signal,
  });
  cleanup.later(() => stack.stop());
  if (rate > 0) {
    const traffic = await startChildProcess({
      name: "generate",
      command: process.execPath,
      args: [
        path.join(repositoryRoot, "pipeline", "bin", "eventlogger.js"),
        ...["generate", "--live", "--count", "0", "--rate", String(rate), "--old-share", "0", "--url", stack.url],
      ],
      logFile: path.join(directory, "generate.log"),
    });
    cleanup.later(() => traffic.stop());
  }
  await sleep(10_000, undefined, { signal });
  const measured: Probe[] = [];
  for (let i = 0; i < probes; i++) {
    const result = await probe(stack.url, i, signal);
    measured.push(result);
    const { users, sessions } = result;
    console.log(`  probe ${i + 1}: users ${(users / 1000).toFixed(2)} s, sessions ${(sessions / 1000).toFixed(2)} s`);
    // Each replica has its own cache, so the other replica may show the number later.
    await sleep(2500 + Math.random() * 2000, undefined, { signal });
  }
  console.log(
    `\nfrom the 204 to the new number in GET /event/, default options, under ${rate} events/s, ${probes} probes\n` +
      formatTable([
        ["", "median", "p95", "max"],
        summary(
          "users",
          measured.map(({ users }) => users),
        ),
        summary(
          "sessions",
          measured.map(({ sessions }) => sessions),
        ),
      ]),
  );
  if (json !== undefined) {
    writeFileSync(json, `${JSON.stringify({ machine: machine(), rate, probes: measured }, null, 2)}\n`);
  }
}

runBenchmark("bench-latency", async (cleanup) => {
  const flags = yargs(process.argv.slice(2))
    .scriptName("npm run bench:latency --")
    .usage("$0 [options]\n\nStarts everything with default options, sends load, and measures how old the numbers are.")
    .options(yargsOptions(benchOptions))
    .example("$0 --probes 50 --json latency.json", "more measurements, also to a file")
    .strict()
    .version(false)
    .parseSync();
  await measure(readOptions(benchOptions, flags), cleanup);
});
