import assert from "node:assert/strict";
import type { Generation } from "@eventlogger/gcp/bigquery/generations";
import { targetOf } from "./jobTarget";
import type { LaunchOptions } from "./launchOptions";
import { rebuildOnDataflow } from "./lostState";

const OPTIONS = {
  ...{ project: "my-project", region: "europe-west1", dataset: "analytics", subscription: "events-pipeline" },
  ...{
    jobName: "eventlogger",
    tempLocation: "gs://b/temp",
    image: "r/worker:1",
    sessionGap: undefined,
    timeZone: undefined,
  },
} as unknown as LaunchOptions;

const ROW = {
  generation: 3,
  settings: { sessionGapMs: 60_000, timeZone: "Europe/Berlin", countBots: true },
  ...{ subscription: null, replayTopic: null, replaySubscription: null, job: null },
} as unknown as Generation;

describe("the target of a launch", () => {
  it("generation 1 has the names of the options, and the definitions of the options or the defaults", () => {
    assert.deepEqual(targetOf({ ...OPTIONS, sessionGap: 5000 }, undefined), {
      ...{ generation: 1, jobName: "eventlogger", subscription: "events-pipeline" },
      ...{
        replaySubscription: "events-pipeline-replay-g1",
        sessionGapMs: 5000,
        timeZone: "UTC",
        countBots: false,
        row: undefined,
      },
    });
  });

  it("another generation has names and subscriptions of its own, those of its row first, and its own definitions", () => {
    assert.deepEqual(targetOf({ ...OPTIONS, sessionGap: 5000 }, ROW), {
      ...{ generation: 3, jobName: "eventlogger-g3", subscription: "events-pipeline-g3" },
      ...{
        replaySubscription: "events-pipeline-replay-g3",
        sessionGapMs: 60_000,
        timeZone: "Europe/Berlin",
        countBots: true,
        row: ROW,
      },
    });
    // After a rebuild with --take-over.
    assert.equal(targetOf(OPTIONS, { ...ROW, subscription: "events-pipeline" }).subscription, "events-pipeline");
  });

  it("the command that makes numbers again has the options of the launch", () => {
    assert.equal(
      rebuildOnDataflow(OPTIONS, { takeOver: true }),
      "eventlogger rebuild --project my-project --runner dataflow --region europe-west1 --temp-location gs://b/temp --image r/worker:1 --take-over",
    );
    assert.match(
      rebuildOnDataflow(OPTIONS, { sessionGapMs: 900_000, timeZone: "Asia/Tokyo", countBots: true }),
      / --session-gap 15m --time-zone Asia\/Tokyo --count-bots$/,
    );
  });
});
