import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { activateGeneration, createGeneration } from "@eventlogger/gcp/bigquery/generations";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { rollupVersion } from "@eventlogger/gcp/bigquery/testing/rows";
import type { RollupVersionRow } from "@eventlogger/gcp/bigquery/tables";
import type { EventStatistics } from "./getEvent";
import type { RetentionStatistics } from "./getRetention";
import { eventually, useIngest, type TestReplica } from "../testing/fixture";

const HOUR_MS = 3_600_000;

const CACHE_TTL_MS = 300;

/** Of the rows of `rollupVersion`. */
const UPDATED_AT = "2024-05-01T00:00:00.000Z";

describe("GET /event/ with BigQuery", () => {
  const warehouse = useBigQueryEmulator();
  const ingest = useIngest();
  let dataset: string;
  let replica: TestReplica;

  before(async () => {
    dataset = await warehouse.datasetWithGeneration();
    replica = await ingest.startReplica({ ...env(), QUERY_TIMEOUT: "60s", CACHE_TTL: `${CACHE_TTL_MS}ms` });
  });

  function env(): Record<string, string> {
    return { PROJECT: warehouse.project, DATASET: dataset, BIGQUERY_ENDPOINT: warehouse.emulator.url };
  }

  async function write(...rows: RollupVersionRow[]): Promise<void> {
    await warehouse.bigquery.dataset(dataset).table("daily_rollup_versions").insert(rows);
    // Until the cached answer has expired.
    await sleep(CACHE_TTL_MS);
  }

  async function read(query = ""): Promise<EventStatistics> {
    const response = await fetch(`${replica.url}/event/${query}`);
    assert.equal(response.status, 200);
    return (await response.json()) as EventStatistics;
  }

  it("GET /event/ returns no days before any event was counted", async () => {
    const answer = await read();
    const definitions = { generation: 1, time_zone: "UTC", session_gap: 1800, watermark: null };
    assert.deepEqual(answer, { total_users: 0, daily_stats: [], as_of: answer.as_of, ...definitions });
  });

  it("GET /event/ returns the newest totals of each day, and newer ones after the cache expires", async () => {
    await write(
      rollupVersion({ date: "2024-05-17", version: 1, session_count: 1, active_user_count: 1, new_user_count: 1 }),
      rollupVersion({
        date: "2020-02-29",
        version: 5,
        session_count: 3,
        session_duration_ms: 3 * 90_000,
        new_user_count: 2,
      }),
      rollupVersion({
        date: "2024-05-17",
        version: 2,
        session_count: 2,
        session_duration_ms: HOUR_MS,
        active_user_count: 4,
        ...{ weekly_active_change: 5, monthly_active_change: 7 },
        ...{ anonymous_user_count: 1, bot_user_count: 2, bot_session_count: 3 },
        updated_at: "2024-05-17T10:20:30.456Z",
      }),
    );
    assert.deepEqual((await read()).daily_stats, [], "both days are older than 90 days");
    const { total_users, daily_stats: first } = await read("?to=2020-02-29");
    assert.equal(total_users, 2);
    const { daily_stats: second } = await read("?to=2024-05-17");
    assert.deepEqual(
      [...first, ...second],
      [
        {
          date: "29/02/2020",
          average_session_duration_min: 1.5,
          average_session_duration_sec: 90,
          active_user_count: 0,
          new_user_count: 2,
          session_count: 3,
          session_duration_ms: 3 * 90_000,
          ...{ weekly_active_user_count: 0, monthly_active_user_count: 0, anonymous_user_count: 0 },
          ...{ bot_user_count: 0, bot_session_count: 0, updated_at: UPDATED_AT },
        },
        {
          date: "17/05/2024",
          average_session_duration_min: 30,
          average_session_duration_sec: 1800,
          active_user_count: 4,
          new_user_count: 0,
          session_count: 2,
          session_duration_ms: HOUR_MS,
          ...{ weekly_active_user_count: 5, monthly_active_user_count: 7, anonymous_user_count: 1 },
          ...{ bot_user_count: 2, bot_session_count: 3, updated_at: "2024-05-17T10:20:30.456Z" },
        },
      ],
    );

    await write(rollupVersion({ date: "2024-05-17", version: 3, session_count: 9, new_user_count: 1 }));
    const changed = await read("?from=2024-01-01&to=2024-12-31");
    assert.deepEqual(
      changed.daily_stats.map((d) => [d.date, d.session_count]),
      [["17/05/2024", 9]],
    );
    assert.equal(changed.total_users, 3);
  });

  it("GET /event/ answers with the numbers and the definitions of one generation, also while another one is activated", async () => {
    const { bigquery } = warehouse;
    const other = await warehouse.datasetWithGeneration();
    const settings = { sessionGapMs: 600_000, timeZone: "Asia/Tokyo", stateFormat: 3 };
    await createGeneration(bigquery, other, { settings });
    const dates = ["2024-05-16", "2024-05-17", "2024-05-18"];
    const rows = [1, 2].flatMap((generation) =>
      dates.map((date) => rollupVersion({ generation, date, session_count: generation, new_user_count: generation })),
    );
    await bigquery.dataset(other).table("daily_rollup_versions").insert(rows);
    const reader = await ingest.startReplica({ ...env(), DATASET: other, QUERY_TIMEOUT: "60s", CACHE_TTL: "0ms" });
    const seen = new Set<number>();
    let isSwitching = true;
    const poll = async (): Promise<void> => {
      while (isSwitching) {
        const response = await fetch(`${reader.url}/event/?from=2024-05-16&to=2024-05-18`);
        assert.equal(response.status, 200);
        const answer = (await response.json()) as EventStatistics;
        const generation = answer.generation ?? assert.fail();
        seen.add(generation);
        assert.deepEqual(answer, {
          total_users: 3 * generation,
          daily_stats: dates.map((date) => ({
            date: date.split("-").reverse().join("/"),
            ...{ average_session_duration_min: 0, average_session_duration_sec: 0, active_user_count: 0 },
            ...{ new_user_count: generation, session_count: generation, anonymous_user_count: 0 },
            ...{ weekly_active_user_count: 0, monthly_active_user_count: 0, bot_user_count: 0, bot_session_count: 0 },
            ...{ session_duration_ms: 0, updated_at: UPDATED_AT },
          })),
          as_of: answer.as_of,
          watermark: null,
          generation,
          ...(generation === 1
            ? { time_zone: "UTC", session_gap: 1800 }
            : { time_zone: "Asia/Tokyo", session_gap: 600 }),
        });
      }
    };
    const readers = Promise.all([poll(), poll(), poll()]);
    try {
      for (let i = 0; i < 20; i++) {
        const last = seen.size;
        await activateGeneration(bigquery, other, i % 2 === 0 ? 2 : 1, { keepOld: true });
        if (last < 2)
          await Promise.race([readers, eventually(async () => seen.size > last, "an answer after the switch")]);
      }
    } finally {
      isSwitching = false;
    }
    await readers;
    assert.deepEqual([...seen].sort(), [1, 2]);
  });

  it("GET /retention/ returns the cohorts of a range with the definitions of their generation", async () => {
    const { bigquery } = warehouse;
    const written_date = new Date().toISOString().slice(0, 10);
    const rows = [
      ["2024-05-13", 0, 4],
      ["2024-05-13", 2, 3],
      ["2024-06-03", 0, 1],
    ].map(([cohort_week, week_offset, person_count]) => ({
      ...{ generation: 1, version: 1, cohort_week, week_offset, person_count },
      ...{ updated_at: `${written_date}T00:00:00.000Z`, written_date },
    }));
    await bigquery.dataset(dataset).table("weekly_retention_versions").insert(rows);
    const response = await fetch(`${replica.url}/retention/?from=2024-05-01&to=2024-05-31`);
    const answer = (await response.json()) as RetentionStatistics;
    assert.deepEqual(answer, {
      ...{ generation: 1, time_zone: "UTC", as_of: answer.as_of },
      cohorts: [{ week: "2024-05-13", size: 4, retained: [4, 0, 3] }],
    });
  });

  it("while BigQuery hangs, GET /event/ answers 503 with Retry-After, events are accepted, and it recovers afterwards", async () => {
    const impatient = await ingest.startReplica({ ...env(), QUERY_TIMEOUT: "1500ms", CACHE_TTL: "0ms" });
    const status = async (): Promise<number> => (await fetch(`${impatient.url}/event/`)).status;
    await eventually(async () => (await status()) === 200, "200");
    process.kill(warehouse.emulator.process.pid, "SIGSTOP");
    try {
      const response = await fetch(`${impatient.url}/event/`);
      assert.equal(response.status, 503);
      assert.ok(Number(response.headers.get("retry-after")) >= 1);
      assert.equal((await fetch(`${impatient.url}/healthz`)).status, 200);
    } finally {
      process.kill(warehouse.emulator.process.pid, "SIGCONT");
    }
    await eventually(async () => (await status()) === 200, "200 again");
  });

  it("with a missing dataset GET /event/ answers 503, and only the log has the reason", async () => {
    const env = { PROJECT: warehouse.project, DATASET: "missing", BIGQUERY_ENDPOINT: warehouse.emulator.url };
    const lost = await ingest.startReplica(env);
    const response = await fetch(`${lost.url}/event/`);
    assert.equal(response.status, 503);
    assert.doesNotMatch(await response.text(), /missing/);
    assert.match(lost.process.logTail(), /reading the rollups failed/);
  });
});
