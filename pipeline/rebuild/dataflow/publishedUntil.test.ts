import assert from "node:assert/strict";
import { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { TimeSeries } from "@eventlogger/gcp/monitoring/timeSeries";
import { googleError } from "@eventlogger/gcp/testing/fakeServer";
import { useFakeGoogle } from "../../runners/dataflow/testing/useFakeGoogle";
import { processedUntil, SubscriptionProgress } from "./publishedUntil";

const NOW = Date.parse("2026-05-31T12:00:00Z");
const at = (secondsAgo: number, value: number): { time: number; value: number } => ({
  time: NOW - secondsAgo * 1000,
  value,
});
const exact = { settleMs: 0, roundingMs: 0 };
const secondsAgo = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : (NOW - ms) / 1000);

describe("processedUntil", () => {
  it("a message is processed when it was acknowledged, and the job has emptied since then", () => {
    const until = (unacked: [number, number][], lag: [number, number][]): number | undefined =>
      secondsAgo(
        processedUntil(
          unacked.map(([ago, age]) => at(ago, age)),
          lag.map(([ago, age]) => at(ago, age)),
          exact,
        ),
      );
    // Everything is acknowledged 100 s ago, and the job was empty 60 s ago.
    assert.equal(until([[100, 0]], [[60, 0]]), 100);
    // The oldest unacknowledged message was 30 s old then.
    assert.equal(until([[100, 30]], [[60, 0]]), 130);
    // At 60 s ago something was in the job for 50 s, so for longer than since the sample of the subscription.
    assert.equal(until([[100, 0]], [[60, 50]]), undefined);
    assert.equal(until([[100, 0]], [[60, 40]]), 100);
    // The newest sample of the subscription is too new, an older one is not.
    const samples: [number, number][] = [
      [60, 0],
      [120, 5],
      [180, 0],
    ];
    assert.equal(until(samples, [[80, 10]]), 125);
    assert.equal(until([], [[60, 0]]), undefined);
    assert.equal(until([[100, 0]], []), undefined);
  });

  it("a pipeline that acknowledges only processed messages needs no metric of a job", () => {
    assert.equal(secondsAgo(processedUntil([at(100, 7)], undefined, exact)), 107);
  });

  it("rounded values and buffered elements make the result earlier", () => {
    assert.equal(secondsAgo(processedUntil([at(100, 7)], undefined, { settleMs: 0 })), 108);
    assert.equal(processedUntil([at(100, 0)], [at(90, 0)], { settleMs: 10_000 }), undefined);
    assert.equal(secondsAgo(processedUntil([at(100, 0)], [at(89, 0)], { settleMs: 10_000 })), 101);
  });
});

describe("SubscriptionProgress", () => {
  const fakes = useFakeGoogle();
  const progress = (): SubscriptionProgress => {
    const api = new GoogleApi(fakes.google.project, []);
    return new SubscriptionProgress(
      new TimeSeries(api, { project: fakes.google.project, endpoint: fakes.google.endpoint }),
      exact,
    );
  };

  it("reads all pages of the metrics of the subscription and of the job from Cloud Monitoring", async () => {
    const now = Date.now();
    const asked: string[] = [];
    fakes.google.monitoring.read = (metric, labels) => {
      asked.push(`${metric} ${[...labels].map((one) => one.join("=")).join()}`);
      return [1, 2, 3].map((minutes) => ({
        time: now - minutes * 60_000,
        value: metric.startsWith("pubsub") ? 90 : 70,
      }));
    };
    // At the newest sample of the job, 1 minute ago, everything that entered 130 s ago or earlier is processed.
    assert.equal(await progress().publishedUntil("events-pipeline", "job-1"), now - 180_000 - 90_000);
    assert.deepEqual([...new Set(asked)].sort(), [
      "dataflow.googleapis.com/job/system_lag metric.labels.job_id=job-1",
      "pubsub.googleapis.com/subscription/oldest_unacked_message_age resource.labels.subscription_id=events-pipeline",
    ]);
    assert.equal(fakes.google.server.requestsTo(/timeSeries/).length, 4);
  });

  it("knows nothing of a subscription that has no samples yet, and names the permission that is missing", async () => {
    assert.equal(await progress().publishedUntil("new", "job-1"), undefined);
    const denied = googleError(403, "Permission monitoring.timeSeries.list denied (or the resource may not exist).");
    fakes.google.server.fail({ match: /timeSeries/, answer: denied });
    await assert.rejects(
      progress().publishedUntil("events-pipeline", undefined),
      /Cannot read the metric pubsub.*HTTP 403[^]*role with the permission monitoring\.timeSeries\.list/,
    );
  });
});
