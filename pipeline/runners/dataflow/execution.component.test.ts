import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { FlinkHarness } from "@eventlogger/beam/testing/flinkHarness";
import { readDailyRollups } from "@eventlogger/gcp/bigquery/dailyRollups";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { startJavaSinks, type JavaSinks } from "../../io/bigquery/testing/javaSinks";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { bruteForceStatistics, type StatisticsReport } from "@eventlogger/traffic/bruteForce";
import { generateTraffic } from "@eventlogger/traffic/generator/trafficGenerator";
import { validateEvent } from "@eventlogger/events/validation";
import { encodeMessage } from "@eventlogger/events/eventMessage";
import { eventPipeline } from "../../eventPipeline";
import { newShardHashSecret } from "../../shards";
import { statisticsReport } from "../../testing/statisticsReport";
import { dataflowIo } from "./io";
import { readMessages, type SentMessage } from "./testing/messageSource";

const GAP_MS = 30 * 60_000;
/** Ahead of UTC by hours and minutes. */
const TIME_ZONE = "Asia/Kolkata";

/** Events of three days and of one day in 2020, with duplicates and delayed events. */
function events(): AnalyticsEvent[] {
  const now = Date.now();
  const traffic = { now, days: 3, count: 800, users: 120, duplicateShare: 0.1, lateShare: 0.1, lateBy: 100 };
  return [...generateTraffic(traffic)].map((input) => {
    const result = validateEvent(input, now);
    assert(result.ok);
    return result.event;
  });
}

const BAD: readonly SentMessage[] = [
  { id: "bad-1", text: "not json", timeMs: Date.now() },
  { id: "bad-2", text: '{"type":"event"}', timeMs: Date.now() },
];

/** The pipeline with the sinks for Dataflow, but with another source, and on Flink. */
describe("the event pipeline with the sinks for Dataflow", () => {
  const fixture = useBigQueryEmulator();
  let flink: FlinkHarness;
  let sinks: JavaSinks;
  before(async function () {
    this.timeout(600_000); // the first run builds the Java parts
    flink = new FlinkHarness();
    sinks = await startJavaSinks(fixture, flink);
  });
  after(async () => {
    await flink?.close();
    await sinks?.stop();
  });

  async function rollups(dataset: string): Promise<StatisticsReport> {
    return statisticsReport(await readDailyRollups(fixture.bigquery, dataset));
  }

  const number = async (query: string): Promise<number | undefined> =>
    (await runQuery(fixture.bigquery, query))[0]?.number("n");

  it("writes every event, and exact rollups by the days of a time zone", async () => {
    const dataset = await fixture.datasetWithGeneration({ sessionGapMs: GAP_MS, timeZone: TIME_ZONE });
    const sent = events();
    const expected = bruteForceStatistics(sent, { gapMs: GAP_MS, timeZone: TIME_ZONE });
    const messages = sent.map((event, i) => ({
      id: `m-${i}`,
      text: encodeMessage(event).data.toString(),
      timeMs: event.event_time,
    }));
    const io = dataflowIo(
      {
        ...{ project: fixture.project, subscription: "unused", replaySubscription: "unused" },
        ...{ dataset, eventsSemantics: "at-least-once" },
      },
      sinks.address,
    );
    const run = await flink.start(
      eventPipeline(
        {
          ...io,
          readReplay: undefined,
          readMessages: readMessages([...messages.slice(0, 300), ...BAD, ...messages.slice(300)]),
        },
        {
          ...{ sessionGapMs: GAP_MS, timeZone: TIME_ZONE },
          ...{ sessionWindows: "beam", skipsCountedDays: false }, // as on Dataflow
          lateAfterMs: 86_400_000,
          earlyFiringMs: 1000,
          shardHashSecret: newShardHashSecret(),
        },
      ),
      { checkpointingInterval: 2000, checkpointDir: flink.file("checkpoints") },
    );
    const deadline = Date.now() + 180_000;
    let report: StatisticsReport | undefined;
    while (!isDeepStrictEqual(report, expected) && Date.now() < deadline) {
      await Promise.race([sleep(1000), run.finished]);
      // While the emulator commits rows, a query may return rows without its columns: retry it.
      report = await rollups(dataset).catch(() => undefined);
    }
    assert.deepEqual(report, expected);
    const ids = new Set(sent.map((event) => event.event_id)).size;
    assert.equal(await number(`SELECT COUNT(*) AS n FROM ${dataset}.events`), sent.length);
    assert.equal(await number(`SELECT COUNT(*) AS n FROM ${dataset}.events_unique`), ids);
    assert.equal(await number(`SELECT COUNT(*) AS n FROM ${dataset}.dead_letters`), BAD.length);
    const versions = `SELECT date, version FROM ${dataset}.daily_rollup_versions GROUP BY date, version HAVING COUNT(*) > 1`;
    assert.equal(await number(`SELECT COUNT(*) AS n FROM (${versions})`), 0, "no version is written twice");
    await run.stop();
  });
});
