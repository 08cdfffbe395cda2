import "@eventlogger/beam/sdk";
import assert from "node:assert/strict";
import { impulse, parDo, withName, type PCollection, type Root } from "apache-beam";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import { buildPipeline, bundleParDo, pipe } from "@eventlogger/beam";
import { eventPipeline, type Sink } from "./eventPipeline";
import type { PubSubMessage } from "./io/pubsub/message";

import * as fixtures from "@eventlogger/beam/testing/fixtures";

const sink = <Row>(name: string): Sink<Row> =>
  bundleParDo(name, new fixtures.AppendToFile("unused"), new GeneralObjectCoder<never>());

const read = withName("Read", (root: Root) =>
  pipe(root, withName("Impulse", impulse()), withName("Numbers", parDo(new fixtures.Numbers(1)))),
) as unknown as (root: Root) => PCollection<PubSubMessage>;

const SECRET = "00112233445566778899aabbccddeeff";

function build(): ReturnType<typeof buildPipeline> {
  return buildPipeline(
    eventPipeline(
      {
        readMessages: read,
        writeEvents: sink("WriteEvents"),
        writeRollupVersions: sink("WriteRollupVersions"),
        writeDeadLetters: sink("WriteDeadLetters"),
      },
      { sessionGapMs: 1_800_000, lateAfterMs: 86_400_000, earlyFiringMs: 10_000, shardHashSecret: SECRET },
    ),
  );
}

describe("event pipeline", () => {
  it("eventPipeline keeps its step names, to which the state of running jobs belongs", async () => {
    // A renamed step loses its state when a job is updated or resumes from a checkpoint.
    const names = Object.values((await build()).components?.transforms ?? {}).map((t) => t.uniqueName);
    assert.deepEqual(names.filter((name) => !name.startsWith("Read")).sort(), [
      "AllDeadLetters",
      "AllDeltas",
      "CountSessions",
      "CountSessions/AllPartials",
      "CountSessions/LateSessions",
      "CountSessions/LateSessions/ByBucket",
      "CountSessions/LateSessions/LatePartials",
      "CountSessions/SessionDeltas",
      "CountSessions/SessionDeltas/ByDay",
      "CountSessions/SessionDeltas/SumDeltas",
      "CountSessions/SessionLedger",
      "CountSessions/WindowSessions",
      "CountSessions/WindowSessions/ByBucket",
      "CountSessions/WindowSessions/BySession",
      "CountSessions/WindowSessions/FreshIntervals",
      "CountSessions/WindowSessions/GlobalWindow",
      "CountSessions/WindowSessions/GroupSessions",
      "CountSessions/WindowSessions/PaneIntervals",
      "CountSessions/WindowSessions/PanePartials",
      "CountSessions/WindowSessions/PanesBySession",
      "CountSessions/WindowSessions/SessionWindows",
      "CountUsers",
      "CountUsers/ByBucket",
      "CountUsers/UserDays",
      "CountUsers/UserDeltas",
      "CountUsers/UserDeltas/ByDay",
      "CountUsers/UserDeltas/SumDeltas",
      "CountUsers/UserLedger",
      "DayTotals",
      "ParseMessages",
      "SplitDeadLetters",
      "ToEventRows",
      "WriteDeadLetters",
      "WriteEvents",
      "WriteRollupVersions",
    ]);
  });

  it("the session windows allow more lateness than the age at which events bypass them", async () => {
    const pipeline = await build();
    const strategies = Object.values(pipeline.components?.windowingStrategies ?? {});
    const sessions = strategies.filter((s) => s.windowFn?.urn === "beam:window_fn:session_windows:v1");
    assert.equal(sessions.length, 1);
    assert(Number(sessions[0]?.allowedLateness) > 86_400_000);
  });
});
