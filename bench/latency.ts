/** `npm run bench:latency`: measures the time from the 204 to the new number in `GET /event/`, with default options, under load. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readOptions, wholeNumber, yargsOptions, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { runMain } from "@eventlogger/process/main";
import yargs from "yargs";
import { freePort } from "@eventlogger/process/ports";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { startStack, type Stack } from "@eventlogger/local/stack/stack";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { withConfigErrors } from "./runBenchmark";
import { dayOf, dayStart, dayToDdMmYyyy } from "@eventlogger/events/day";

const benchOptions = {
  rate: { type: "number", describe: "Load, in events per second.", default: 200, check: wholeNumber(0, 10_000) },
  probes: { type: "number", describe: "Number of measurements.", default: 20, check: wholeNumber(1, 1000) },
} as const satisfies OptionSpecs;

const GIVE_UP_MS = 60_000;

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

/**
 * Sends an event of a new user and a new session just after the next midnight: on a day without other traffic, and ahead
 * of the watermark, so that the session waits for an early firing like any open session.
 * @returns the time until the number of users and the number of sessions changed, ms
 */
async function probe(url: string, n: number): Promise<{ users: number; sessions: number }> {
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
  const accepted = Date.now();
  let users = NaN;
  for (;;) {
    await sleep(100);
    const { session_count, active_user_count } = await statOf(url, day);
    const passed = Date.now() - accepted;
    if (Number.isNaN(users) && active_user_count > before.active_user_count) users = passed;
    if (session_count > before.session_count) return { users, sessions: passed };
    if (passed > GIVE_UP_MS) throw new Error(`The number did not change within ${GIVE_UP_MS / 1000} s`);
  }
}

function summary(values: number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q: number): string => ((sorted[Math.ceil(q * sorted.length) - 1] ?? NaN) / 1000).toFixed(1);
  return `p50 ${at(0.5)} s, p90 ${at(0.9)} s, max ${at(1)} s`;
}

async function measure({ rate, probes }: Options<typeof benchOptions>): Promise<void> {
  const directory = mkdtempSync(path.join(tmpdir(), "bench-latency-"));
  let stack: Stack | undefined;
  let traffic: ChildProcess | undefined;
  try {
    stack = await startStack({
      port: await freePort(),
      localDir: path.join(directory, "local"),
      onProgress: (line) => console.log(`  ${line}`),
    });
    if (rate > 0) {
      traffic = await startChildProcess({
        name: "generate",
        command: process.execPath,
        args: [
          path.join(repositoryRoot, "pipeline", "bin", "eventlogger.js"),
          ...["generate", "--live", "--count", "0", "--rate", String(rate), "--old-share", "0", "--url", stack.url],
        ],
        logFile: path.join(directory, "generate.log"),
      });
    }
    await sleep(10_000);
    const users: number[] = [];
    const sessions: number[] = [];
    for (let i = 0; i < probes; i++) {
      const result = await probe(stack.url, i);
      users.push(result.users);
      sessions.push(result.sessions);
      console.log(
        `  probe ${i + 1}: users ${(result.users / 1000).toFixed(1)} s, sessions ${(result.sessions / 1000).toFixed(1)} s`,
      );
      // Each replica has its own cache, so the other replica may show the number later.
      await sleep(2500 + Math.random() * 2000);
    }
    console.log(
      `from the 204 to the new number in GET /event/, under ${rate} events/s, ${probes} probes:\n` +
        `  users:    ${summary(users)}\n  sessions: ${summary(sessions)}`,
    );
  } finally {
    await traffic?.stop();
    await stack?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const argv = await yargs(process.argv.slice(2))
    .scriptName("npm run bench:latency --")
    .options(yargsOptions(benchOptions))
    .strict()
    .help().argv;
  await measure(readOptions(benchOptions, argv));
}

runMain(withConfigErrors(main));
