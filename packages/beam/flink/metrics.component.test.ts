import "../sdk";
import assert from "node:assert/strict";
import { impulse, parDo, withName } from "apache-beam";
import { counter as sdkCounter } from "apache-beam/transforms/pardo";
import { FlinkHarness } from "../testing/flinkHarness";
import { bundleParDo, pipe, stringCoder } from "../index";
import * as fixtures from "../testing/fixtures";

/** A metric as the job server logs it at the end of a job. */
interface LoggedMetric {
  readonly urn: string;
  readonly payload: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The metrics that Flink has collected, from the log of the job server. */
function collectedMetrics(log: string): LoggedMetric[] {
  const start = log.indexOf("__metricscontainers : {");
  assert(start >= 0, `no metrics in ${log.slice(-2000)}`);
  const json = /\{[^]*?\n\}/.exec(log.slice(start))?.[0] ?? "";
  return (JSON.parse(json) as { metrics: { attempted: LoggedMetric[] } }).metrics.attempted;
}

describe("Metrics on Flink", function () {
  this.timeout(400_000);
  let h: FlinkHarness;
  beforeEach(() => void (h = new FlinkHarness()));
  afterEach(() => h.close());

  it("Flink collects the counters of DoFns of the SDK and of this library, and the element counts, once each", async () => {
    const run = await h.start((root) =>
      pipe(
        root,
        impulse(),
        withName("numbers", parDo(new fixtures.Numbers(6))),
        withName("plain", parDo(new fixtures.MeteredSdk() as never, { sdk: sdkCounter("sdk") } as never)),
        bundleParDo("metered", new fixtures.Metered(), stringCoder),
      ),
    );
    await run.finished;
    const metrics = collectedMetrics(h.text("job-server.log"));
    const sums = metrics
      .filter(({ urn }) => urn === "beam:metric:user:sum_int64:v1")
      .map(({ labels: { NAMESPACE, NAME }, payload }) => `${NAMESPACE} ${NAME} ${Buffer.from(payload, "base64")[0]}`);
    assert.deepEqual(sums.sort(), ["user processed 6", "user processed 6", "user sdk 6"]);
    const elements = metrics
      .filter(({ urn }) => urn === "beam:metric:element_count:v1")
      .map(({ payload }) => Buffer.from(payload, "base64")[0]);
    assert.deepEqual(elements.sort(), [1, 6, 6, 6]);
  });
});
