import "@eventlogger/beam/sdk";
import assert from "node:assert/strict";
import { impulse, parDo, withName, type PCollection, type Root } from "apache-beam";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import { buildPipeline, bundleParDo, pipe } from "@eventlogger/beam";
import { eventPipeline, type SessionWindows, type Sink } from "./eventPipeline";
import { flinkIo } from "./runners/flink/io";
import type { PubSubMessage } from "./io/pubsub/message";

import * as fixtures from "@eventlogger/beam/testing/fixtures";

const sink = <Row>(name: string): Sink<Row> =>
  bundleParDo(name, new fixtures.AppendToFile("unused"), new GeneralObjectCoder<never>());

const DURATIONS = { sessionGapMs: 1_800_000, lateAfterMs: 86_400_000, earlyFiringMs: 10_000 };

const read = withName("Read", (root: Root) =>
  pipe(root, withName("Impulse", impulse()), withName("Numbers", parDo(new fixtures.Numbers(1)))),
) as unknown as (root: Root) => PCollection<PubSubMessage>;

const SECRET = "00112233445566778899aabbccddeeff";

function build(sessionWindows: SessionWindows): ReturnType<typeof buildPipeline> {
  return buildPipeline(
    eventPipeline(
      {
        readMessages: read,
        writeEvents: sink("WriteEvents"),
        writeRollupVersions: sink("WriteRollupVersions"),
        writeRetentionVersions: sink("WriteRetentionVersions"),
        writeDeadLetters: sink("WriteDeadLetters"),
        writeAcceptedIds: sink("WriteAcceptedIds"),
      },
      { ...DURATIONS, sessionWindows, shardHashSecret: SECRET },
    ),
  );
}

/** The steps of CountSessions. */
const SESSION_STEPS: Readonly<Record<SessionWindows, readonly string[]>> = {
  state: ["CollectSessions", "CollectSessions/BySession", "CollectSessions/EventPartials"],
  beam: [
    "AllPartials",
    "LateSessions",
    "LateSessions/ByBucket",
    "LateSessions/LatePartials",
    "WindowSessions",
    "WindowSessions/ByBucket",
    "WindowSessions/BySession",
    "WindowSessions/FreshIntervals",
    "WindowSessions/GlobalWindow",
    "WindowSessions/GroupSessions",
    "WindowSessions/PaneIntervals",
    "WindowSessions/PanePartials",
    "WindowSessions/PanesBySession",
    "WindowSessions/SessionWindows",
  ],
};
/** Steps with state, and the ids of their inputs. */
const STATEFUL_STEPS: Readonly<Record<SessionWindows, readonly (readonly [string, string])[]>> = {
  state: [
    ["CountSessions/SessionLedger", "pc_24"],
    ["CountUsers/AnonymousLedger", "pc_37"],
    ["CountUsers/UserLedger", "pc_48"],
    ["DayTotals", "pc_72"],
    ["RetentionTotals", "pc_70"],
    ["RecordAccepted/AcceptedLedger", "pc_89"],
  ],
  beam: [
    ["CountSessions/WindowSessions/GroupSessions", "pc_27"],
    ["CountSessions/SessionLedger", "pc_49"],
    ["CountUsers/AnonymousLedger", "pc_62"],
    ["CountUsers/UserLedger", "pc_73"],
    ["DayTotals", "pc_97"],
    ["RetentionTotals", "pc_95"],
    ["RecordAccepted/AcceptedLedger", "pc_114"],
  ],
};

describe("event pipeline", () => {
  for (const windows of ["state", "beam"] as const) {
    it(`eventPipeline keeps its step names with --session-windows ${windows}, because the state of running jobs belongs to them`, async () => {
      // A renamed step loses its state when a job is updated or resumes from a checkpoint.
      const names = Object.values((await build(windows)).components?.transforms ?? {}).map((t) => t.uniqueName);
      const expected = [
        ...SESSION_STEPS[windows].map((name) => `CountSessions/${name}`),
        "AllDeadLetters",
        "AllDeltas",
        "CountUsers/AllDayDeltas",
        "CountUsers/AllUserDays",
        "CountUsers/AllWeekDeltas",
        "CountUsers/AnonymousDays",
        "CountUsers/AnonymousDeltas",
        "CountUsers/AnonymousDeltas/ByDay",
        "CountUsers/AnonymousDeltas/ByWeek",
        "CountUsers/AnonymousDeltas/SumDeltas",
        "CountUsers/AnonymousLedger",
        "CountUsers/ByAnonymousId",
        "CountUsers/ContributionsByUser",
        "CountUsers/UserDeltas/ByWeek",
        "RetentionTotals",
        "WriteRetentionVersions",
        "CountSessions",
        "CountSessions/SessionDeltas",
        "CountSessions/SessionDeltas/ByDay",
        "CountSessions/SessionDeltas/SumDeltas",
        "CountSessions/SessionLedger",
        "CountUsers",
        "CountUsers/ByBucket",
        "CountUsers/UserDays",
        "CountUsers/UserDeltas",
        "CountUsers/UserDeltas/ByDay",
        "CountUsers/UserDeltas/SumDeltas",
        "CountUsers/UserLedger",
        "DayTotals",
        "ParseMessages",
        "RecordAccepted",
        "RecordAccepted/AcceptedLedger",
        "RecordAccepted/ByShard",
        "RecordAccepted/CollectHashes",
        "RecordAccepted/MergeHashes",
        "SplitDeadLetters",
        "ToEventRows",
        "WriteAcceptedIds",
        "WriteDeadLetters",
        "WriteEvents",
        "WriteRollupVersions",
      ];
      assert.deepEqual(names.filter((name) => !name.startsWith("Read")).sort(), expected.sort());
    });

    it(`steps with state keep the ids of their inputs with --session-windows ${windows}, by which Flink finds the state of a job that resumes`, async () => {
      const options = {
        project: "p",
        subscription: "s",
        replaySubscription: "s-replay",
        dataset: "d",
        bigqueryEndpoint: undefined,
      };
      const io = flinkIo({
        ...options,
        checkpointIntervalMs: 3000,
        lateAfterMs: 86_400_000,
        workerMemoryMiB: 2048,
        ackDeadlineMs: 60_000,
        parallelism: 1,
        deadLetterFolder: "/unused",
      });
      const { components } = await buildPipeline(
        eventPipeline(io, { ...DURATIONS, sessionWindows: windows, shardHashSecret: SECRET }),
      );
      const inputs = Object.values(components?.transforms ?? {}).flatMap(({ uniqueName, spec, inputs }) => {
        const isGroup = spec?.urn === "beam:transform:group_by_key:v1";
        const hasState =
          spec?.urn === "beam:transform:pardo:v1" &&
          Object.keys(runnerApi.ParDoPayload.fromBinary(spec.payload).stateSpecs).length > 0;
        return isGroup || hasState ? [[uniqueName, ...Object.values(inputs)]] : [];
      });
      // The ids count upwards in the order in which the pipeline is built: a new step must come after all others.
      assert.deepEqual(inputs, STATEFUL_STEPS[windows]);
    });
  }

  it("the session windows allow more lateness than the age at which events bypass them", async () => {
    const pipeline = await build("beam");
    const strategies = Object.values(pipeline.components?.windowingStrategies ?? {});
    const sessions = strategies.filter((s) => s.windowFn?.urn === "beam:window_fn:session_windows:v1");
    assert.equal(sessions.length, 1);
    assert(Number(sessions[0]?.allowedLateness) > 86_400_000);
  });
});
