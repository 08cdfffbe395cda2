import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ABSENT_FIELDS } from "@eventlogger/events/absentFields";
import { encodeMessage } from "@eventlogger/events/eventMessage";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { verifyDataset } from "@eventlogger/gcp/bigquery/verify/verify";
import { startBigQueryEmulator, startPubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { setUpResources } from "@eventlogger/gcp/setup/setUpResources";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { UserError } from "@eventlogger/process/main";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { processUsage } from "@eventlogger/process/processUsage";
import { waitUntil } from "@eventlogger/process/wait";
import { formatTable } from "../figures";
import { percentile } from "../report";
import type { Cleanup } from "../runBenchmark";
import { createRows } from "./storedRows";

const PROJECT = "demo-project";
const DATASET = "analytics";
const LIMIT_MS = 3_600_000;
const SAMPLE_MS = 1000;
/** Time between two live events whose way to the numbers is measured, ms. */
const PROBE_EVERY_MS = 3000;

interface Sample {
  /** Since the start of the replay, s. */
  readonly at: number;
  readonly replayed: number;
  readonly rssMiB: number;
}

/** Ends a loop, and waits for it. */
type Loop = () => Promise<void>;

function startLoop(everyMs: number, step: () => Promise<void>): Loop {
  const ended = new AbortController();
  const loop = (async () => {
    while (!ended.signal.aborted) {
      await step();
      await sleep(everyMs, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  })();
  return () => {
    ended.abort();
    return loop;
  };
}

/**
 * Replays a table by the command, with emulators and `eventlogger run`, all on this machine. Prints rows per second, the memory of
 * the command over time, and how long live events took to be counted meanwhile.
 */
export async function replayFromTable(
  { rows, users }: { readonly rows: number; readonly users: number },
  cleanup: Cleanup,
): Promise<void> {
  const { directory, signal } = cleanup;
  const log = (name: string): string => path.join(directory, name);
  const pubsub = await startPubSubEmulator({ logFile: log("pubsub.log") });
  cleanup.later(() => pubsub.stop());
  const warehouse = await startBigQueryEmulator({
    ...{ dataDir: log("bigquery"), logFile: log("bigquery.log"), project: PROJECT },
  });
  cleanup.later(() => warehouse.stop());
  process.env["PUBSUB_EMULATOR_HOST"] = pubsub.host;
  const names = { topic: "events", subscription: "events-pipeline" };
  await setUpResources({ ...names, project: PROJECT, dataset: DATASET, bigqueryEndpoint: warehouse.url }, () => {});
  const bigquery = bigQueryClient({ project: PROJECT, endpoint: warehouse.url });
  console.log(`creating ${rows.toLocaleString("en-US")} rows`);
  await createRows(bigquery, DATASET, { rows, users, now: Date.now() });

  const port = await freePort();
  const eventlogger = (name: string, ...args: string[]): Promise<ChildProcess> =>
    startChildProcess({
      name: `eventlogger ${name}`,
      command: process.execPath,
      args: [path.join(repositoryRoot, "pipeline", "bin", "eventlogger.js"), name, ...args],
      env: { PUBSUB_EMULATOR_HOST: pubsub.host, BIGQUERY_ENDPOINT: warehouse.url },
      logFile: log(`${name}.log`),
    });
  const run = await eventlogger("run", "--state-dir", log("state"), "--metrics-port", String(port));
  cleanup.later(() => run.stop(15_000));
  const wait = { timeoutMs: LIMIT_MS, intervalMs: 200, signal, details: () => run.logTail() };
  await waitUntil("the pipeline", () => /^running /m.test(run.logTail(50)), wait);

  async function metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return Number(new RegExp(`^pipeline_${name} (.*)$`, "m").exec(text)?.[1]);
  }

  const client = pubSubClient({ project: PROJECT });
  cleanup.later(() => client.close());
  let probes = 0;
  /** Publishes an event of a new user on a day without others. @returns the time until it is counted, ms */
  async function probe(): Promise<number> {
    const id = `probe-${++probes}`;
    const event_time = Date.now();
    const message = encodeMessage({
      ...ABSENT_FIELDS,
      ...{ type: "event", event_id: id, session_id: id, event_name: "probe", event_time, user_id: id },
      received_at: event_time,
    });
    const startedAt = performance.now();
    await client.topic(names.topic).publishMessage({ data: message.data, attributes: { ...message.attributes } });
    const day = new Date(event_time).toISOString().slice(0, 10);
    const isCounted = async (): Promise<boolean> => {
      const [row] = await runQuery(
        bigquery,
        `SELECT COALESCE(SUM(active_user_count), 0) AS n FROM ${DATASET}.daily_rollups WHERE date = DATE '${day}'`,
      );
      return (row?.number("n") ?? 0) >= probes;
    };
    await waitUntil("a live event", isCounted, { ...wait, retryErrors: true });
    return performance.now() - startedAt;
  }
  const idle: number[] = [];
  for (let i = 0; i < 5; i++) idle.push(await probe());

  console.log("replaying");
  const startedAt = performance.now();
  const command = await eventlogger("replay", "--from", "2000-01-01");
  cleanup.later(() => command.stop());
  const samples: Sample[] = [];
  const busy: number[] = [];
  const endSamples = startLoop(SAMPLE_MS, async () => {
    const at = (performance.now() - startedAt) / 1000;
    const rssMiB = processUsage(command.pid)?.rssMiB;
    const replayed = await metric("replayed_events_total");
    if (rssMiB !== undefined) samples.push({ at, replayed, rssMiB });
    if (samples.length % 10 === 1)
      console.log(`  ${at.toFixed(0)} s: ${replayed} replayed; command ${rssMiB ?? 0} MiB`);
  });
  const endProbes = startLoop(PROBE_EVERY_MS, async () => void busy.push(await probe()));
  const { code } = await command.exited;
  const publishedSec = (performance.now() - startedAt) / 1000;
  if (code !== 0) throw new UserError(`eventlogger replay exited with ${code}: ${command.logTail()}`);
  await waitUntil("all rows to be counted", async () => (await metric("replayed_events_total")) >= rows, wait);
  const countedSec = (performance.now() - startedAt) / 1000;
  await Promise.all([endSamples(), endProbes()]);
  const verified = async (): Promise<boolean> => (await verifyDataset(bigquery, { dataset: DATASET })).isEqual;
  await waitUntil("exact numbers", verified, { ...wait, intervalMs: 1000, retryErrors: true });
  const rss = samples.map(({ rssMiB }) => rssMiB);
  const tenth = (i: number): number =>
    percentile(rss.slice(Math.floor((rss.length * i) / 10), Math.ceil((rss.length * (i + 1)) / 10)), 50);
  const sec = (values: readonly number[], p: number): string => `${(percentile(values, p) / 1000).toFixed(1)} s`;
  console.log(
    `\n${rows.toLocaleString("en-US")} rows: published in ${publishedSec.toFixed(0)} s, counted in ${countedSec.toFixed(0)} s ` +
      `(${Math.round(rows / countedSec).toLocaleString("en-US")}/s), numbers exact\n` +
      `memory of the command, MiB, by tenths of its time: ${Array.from({ length: 10 }, (_, i) => tenth(i)).join(" ")}; at most ${Math.max(...rss)}\n\n` +
      formatTable([
        ["a live event until it is counted", "median", "max"],
        ["before the replay", sec(idle, 50), sec(idle, 100)],
        ["during the replay", sec(busy, 50), sec(busy, 100)],
      ]),
  );
}
