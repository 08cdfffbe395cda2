import assert from "node:assert/strict";
import { encodeMessage } from "@eventlogger/events/eventMessage";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import {
  changeGenerations,
  generationsReference,
  readGenerations,
  recordGeneration,
} from "@eventlogger/gcp/bigquery/generations";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { setUpPubSub } from "@eventlogger/gcp/pubsub/setup/setUpPubSub";
import { usePubSubEmulator } from "@eventlogger/gcp/pubsub/testing/usePubSubEmulator";
import { setUpResources } from "@eventlogger/gcp/setup/setUpResources";
import { waitUntil } from "@eventlogger/process/wait";
import { abortRebuild } from "./abort";
import type { RebuildReporter } from "./context";
import type { WantedDefinitions } from "./definitions";
import { eventRows } from "./gcp/eventRows";
import { bigQueryStore } from "./gcp/bigQueryStore";
import { pubsubResources } from "./gcp/pubsubResources";
import { sqlVerifier } from "./gcp/sqlVerifier";
import { planRebuild } from "./plan/planRebuild";
import { rebuild, type RebuildResult } from "./rebuild";
import type { RebuildServices } from "./services";
import { dailyNumbers } from "./testing/dailyNumbers";
import { Killed, killable } from "./testing/killable";
import { SmallPipelines } from "./testing/smallPipelines";

const OLD_GAP_MS = 60_000;
const NEW_GAP_MS = 5000;
const wanted: WantedDefinitions = {
  ...{ sessionGapMs: NEW_GAP_MS, timeZone: undefined, from: undefined, keepOld: undefined, takeOver: undefined },
};
const SILENT: RebuildReporter = { phase: () => {}, say: () => {}, doing: () => {}, rows: () => {} };
const never = new AbortController().signal;

describe("rebuild on Pub/Sub and BigQuery", () => {
  const bigquery = useBigQueryEmulator();
  const emulator = usePubSubEmulator();
  let dataset: string;
  let pipelines: SmallPipelines;
  let names: { topic: string; subscription: string };
  let published: AnalyticsEvent[];
  let datasets = 0;

  beforeEach(async () => {
    published = [];
    names = { topic: `topic-${++datasets}`, subscription: `pipeline-${datasets}` };
    await setUpPubSub(emulator.pubsub, names);
    dataset = await bigquery.freshDataset();
    await recordGeneration(
      bigquery.bigquery,
      dataset,
      { sessionGapMs: OLD_GAP_MS, stateFormat: 3 },
      pubsubResources(emulator.pubsub, names, 0).names(1, null),
    );
    pipelines = new SmallPipelines(bigquery.bigquery, dataset, emulator.pubsub);
    await pipelines.startRun(1);
    for (let i = 0; i < 40; i++) await publish();
  });
  afterEach(() => pipelines.close());

  /** Publishes one event of some session and user, of one of four days. */
  async function publish(): Promise<void> {
    const i = published.length;
    const now = Date.now();
    const one = event({
      ...{ event_id: `e${i}`, session_id: `s${i % 3}`, user_id: i % 4 ? `u${i % 5}` : null, received_at: now },
      event_time: Date.parse("2024-03-01T12:00:00Z") + (i % 4) * 86_400_000 + ((i * 37) % 60) * 1000,
    });
    published.push(one);
    const { data, attributes } = encodeMessage(one);
    await emulator.pubsub.topic(names.topic).publishMessage({ data, attributes });
  }

  function services(): RebuildServices {
    return {
      store: bigQueryStore(bigquery.bigquery, dataset),
      resources: pubsubResources(emulator.pubsub, names, 500),
      rows: eventRows(bigquery.bigquery, dataset, emulator.pubsub, 0),
      verifier: sqlVerifier(bigquery.bigquery, dataset),
      driver: pipelines.driver(),
    };
  }

  /** The record belongs to this process, which lives on: makes it one of a process that has ended. */
  async function markAsDead(): Promise<void> {
    const table = generationsReference(bigquery.bigquery, dataset);
    await changeGenerations(
      bigquery.bigquery,
      dataset,
      `UPDATE ${table} SET rebuild = REGEXP_REPLACE(rebuild, '"started":"[^"]*"', '"started":"dead"') WHERE rebuild IS NOT NULL`,
    );
    await pipelines.endChild();
  }

  function start(of: RebuildServices): Promise<RebuildResult> {
    return rebuild({
      services: of,
      wanted,
      newState: () => ({ shardHashSecret: "00", stateFormat: 3 }),
      report: SILENT,
      signal: never,
      times: { pollMs: 100, recordMs: 0, clockSkewMs: 200, compareMs: 200, settleMs: 500 },
    });
  }

  async function assertNumbers(gapMs: number): Promise<void> {
    const expected = [...dailyNumbers(published, gapMs)].map(([date, numbers]) => {
      const { session_count, session_duration_ms, active_user_count, new_user_count, total_users } = numbers;
      return [date, session_count, session_duration_ms, active_user_count, new_user_count, total_users];
    });
    const columns = ["session_count", "session_duration_ms", "active_user_count", "new_user_count", "total_users"];
    const read = async (): Promise<(string | number)[][]> => {
      await pipelines.process();
      const rows = await runQuery(bigquery.bigquery, `SELECT * FROM ${dataset}.daily_rollups ORDER BY date`);
      return rows.map((row) => [row.text("date"), ...columns.map((column) => row.number(column))]);
    };
    const isEqual = async (): Promise<boolean> => JSON.stringify(await read()) === JSON.stringify(expected);
    await waitUntil("the numbers of all events", isEqual).catch(() => {});
    assert.deepEqual(await read(), expected);
  }

  const subscriptions = async (): Promise<string[]> => {
    const [all] = await emulator.pubsub.getSubscriptions();
    const own = all
      .map(({ name }) => name.split("/").at(-1) ?? "")
      .filter((name) => name.startsWith(names.subscription));
    return own.map((name) => name.slice(names.subscription.length)).sort();
  };

  it("killed at its calls one after the other while events arrive, it ends with exact numbers and without leftovers", async () => {
    let kills = 0;
    // rebuild.test.ts kills it at each call; here each start does a few more calls than the one before.
    for (let call = 4; ; call += 4) {
      const one = killable(services(), {
        kill: { call, when: call % 2 ? "before" : "after" },
        onKill: markAsDead,
        onCall: () => {
          // Some events, so that the test does not become slower with each call.
          if (published.length < 150) void publish();
        },
      });
      const ended = await start(one).then(
        () => true,
        (error: unknown) => {
          if (error instanceof Killed) return false;
          throw error;
        },
      );
      if (ended) break;
      kills++;
    }
    assert.ok(kills > 4, `${kills} kills`);
    await assertNumbers(NEW_GAP_MS);
    const generations = await readGenerations(bigquery.bigquery, dataset);
    assert.deepEqual(
      generations.map(({ status, rebuild: left }) => [status, left]),
      [
        ["retired", null],
        ["active", null],
      ],
    );
    assert.deepEqual(await subscriptions(), ["-g2", "-replay-g2"]);
    assert.deepEqual(pipelines.withState, [2]);
    // A subscription of generation 1 would collect messages that nobody reads.
    const { project } = bigquery;
    await setUpResources({ ...names, project, dataset, bigqueryEndpoint: bigquery.emulator.url }, () => {});
    assert.deepEqual(await subscriptions(), ["-g2", "-replay-g2"], "after setup was repeated");
  });

  it("aborted, it leaves the numbers, the subscriptions and the state of the old generation as they were", async () => {
    const one = killable(services(), {
      kill: { call: 25, when: "after" },
      onKill: markAsDead,
      onCall: () => void publish(),
    });
    await assert.rejects(start(one), Killed);
    assert.deepEqual(await subscriptions(), ["", "-g2", "-replay-g1", "-replay-g2"]);
    await abortRebuild({ services: services(), report: SILENT, signal: never });
    assert.deepEqual(await subscriptions(), ["", "-replay-g1"]);
    assert.deepEqual(pipelines.withState, [1]);
    await publish();
    await assertNumbers(OLD_GAP_MS);
  });

  it("a dry run counts the rows and changes nothing", async () => {
    const rows = async (): Promise<object[]> =>
      (await readGenerations(bigquery.bigquery, dataset)).map((row) => ({ ...row, lease: null }));
    const before = await rows();
    const rowsAreWritten = async (): Promise<boolean> => {
      await pipelines.process();
      const [row] = await runQuery(bigquery.bigquery, `SELECT COUNT(*) AS n FROM ${dataset}.events`);
      return row?.number("n") === published.length;
    };
    await waitUntil("the rows of all events", rowsAreWritten);
    const { next, phase, plan } = await planRebuild(services(), wanted, { bigquery: bigquery.bigquery, dataset });
    assert.deepEqual([next.generation, next.settings.sessionGapMs, phase], [2, NEW_GAP_MS, undefined]);
    assert.deepEqual([plan.rows, plan.queryBytes], [published.length, undefined]);
    assert.deepEqual(await rows(), before);
    assert.deepEqual(await subscriptions(), ["", "-replay-g1"]);
  });

  it("of two processes that begin at the same moment, one is refused, and the other one ends with exact numbers", async () => {
    const results = await Promise.allSettled([start(services()), start(services())]);
    const reasons = results.flatMap((result) => (result.status === "rejected" ? [result.reason as Error] : []));
    assert.deepEqual(
      reasons.map(({ name }) => name),
      ["RebuildRunningError"],
      String(reasons[0]?.stack),
    );
    await assertNumbers(NEW_GAP_MS);
  });
});
