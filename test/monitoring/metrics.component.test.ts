import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually, useIngest } from "@eventlogger/ingest/testing/fixture";
import { sampleEvent, sendRaw } from "@eventlogger/ingest/testing/requests";
import { metricsText } from "@eventlogger/pipeline/cli/metricsFile/metricsFile";
import { refreshMetrics } from "@eventlogger/pipeline/cli/metricsFile/refreshMetrics";
import { verificationMetrics } from "@eventlogger/pipeline/cli/metricsFile/verificationMetrics";
import { runMetrics } from "@eventlogger/pipeline/monitoring/metrics";
import { MonitorServer } from "@eventlogger/pipeline/monitoring/monitorServer";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { parseMarkdown } from "../docs/markdown";
import { plotsOf, readDashboard, withVariables } from "./testing/dashboard";
import { PrometheusServer } from "./testing/prometheusServer";
import { ruleFiles, ruleTests } from "./testing/ruleFiles";

/** The keys of the replica; it has both files. */
const WRITE_KEY = "write-key-0123456789abcdef";
const READ_KEY = "read-key-0123456789abcdef";

/** Names of metrics in PromQL, by the beginnings that this repository and prom-client use. */
const METRIC = /\b(?:ingest|pipeline|eventlogger|process|nodejs)[_:][\w:]+/g;

/** The only expressions without a result in this test: Prometheus has run for seconds. */
const NEEDS_A_WEEK = /offset 1w/;

const RUN = {
  counters: { events: 5, deadLetters: 1, "worker.bundles": 9, "refusedRows.events": 1 },
  gauges: {
    "source.watermarkLagMs": 1500,
    "source.oldestUnacknowledgedMs": 2500,
    "source.replay.oldestUnacknowledgedMs": 500,
  },
  ...{ jobRestarts: 0, failedCheckpoints: 0, checkpointAgeMs: 3500, stateBytes: 4096, clockSteps: 0 },
};

const VERIFICATION = {
  ...{ generation: 1, timeZone: "UTC", gapMs: 1_800_000, zoneDifferences: [], horizon: undefined, days: undefined },
  ...{ differences: [], equalDays: 3, notCheckable: undefined, mayLackLinks: false },
  ...{ retention: { differences: [], equalCohorts: 1, notCheckable: 0 }, breakdowns: undefined },
  record: { exists: true, beganOn: "2026-05-01", recorded: 10, missing: [], uncovered: [] },
  ...{ deadLetters: [], bytesScanned: 4096, isEqual: true },
};

const REFRESHED = {
  generation: { generation: 1, dimensions: ["country"], days: ["2026-05-17"], keptDays: [] },
  bytesScanned: 10,
};

/** Serves a text as node_exporter serves a file of metrics. */
async function serveText(text: string): Promise<Server> {
  const server = createServer((_request, response) => response.end(text));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** Sends requests of every kind that has a metric of its own. */
async function sendTraffic(url: string, port: number): Promise<void> {
  const send = async (path: string, body: unknown, status: number): Promise<void> => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${WRITE_KEY}` };
    const response = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
    assert.equal(response.status, status, `${path}: ${await response.text()}`);
  };
  await send("/event/", sampleEvent({ user_id: "undefined" }), 204);
  await send("/event/", sampleEvent({ colour: "red" }), 204);
  await send("/event/", sampleEvent({ event_name: "" }), 400);
  const wrongClock = Math.round(Date.now() / 1000) - 7200;
  await send("/event/", sampleEvent({ event_time: wrongClock, sent_at: wrongClock }), 204);
  await send("/events/", [sampleEvent(), sampleEvent()], 200);
  const track = { type: "track", event: "signup", userId: "u-1", messageId: "m-1" };
  const segment = await fetch(`${url}/v1/batch`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Basic ${Buffer.from(`${WRITE_KEY}:`).toString("base64")}`,
    },
    body: JSON.stringify({ batch: [track] }),
  });
  assert.equal(segment.status, 200, await segment.text());
  await (await fetch(`${url}/healthz`)).text();
  await sendRaw(port, "GARBAGE\r\n\r\n");
}

describe("The metrics of a real replica, a real monitor and verify in a real Prometheus", () => {
  const ingest = useIngest();
  const stops: (() => Promise<unknown>)[] = [];
  let folder: string;
  let prometheus: PrometheusServer;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "monitoring-"));
    writeFileSync(join(folder, "write-keys"), JSON.stringify({ web: WRITE_KEY }));
    writeFileSync(join(folder, "read-keys"), JSON.stringify({ reader: READ_KEY }));
    const topic = await ingest.freshTopic();
    const replica = await ingest.startReplica({
      ...{ TOPIC: topic.name, WRITE_KEYS_FILE: join(folder, "write-keys"), READ_KEYS_FILE: join(folder, "read-keys") },
    });
    const monitor = await MonitorServer.start({
      ...{ host: "127.0.0.1", port: 0, metrics: runMetrics(() => RUN), notReady: () => undefined },
    });
    stops.push(() => monitor.stop());
    const now = Date.now();
    const labels = { dataset: "analytics", generation: "1" };
    const run = { startedAt: now - 5000, endedAt: now };
    const refreshed = {
      ...REFRESHED,
      generations: [{ ...REFRESHED.generation, refreshedAt: new Date(now).toISOString() }],
    };
    const exporter = await serveText(
      (await metricsText(verificationMetrics(VERIFICATION, run), labels)) +
        (await metricsText(refreshMetrics(refreshed, run), { dataset: "analytics" })),
    );
    stops.push(() => new Promise((resolve) => exporter.close(resolve)));
    await sendTraffic(replica.url, replica.port);
    prometheus = await PrometheusServer.start({
      targets: {
        "eventlogger-ingest": `127.0.0.1:${replica.port}`,
        "eventlogger-pipeline": `127.0.0.1:${monitor.port}`,
        node: `127.0.0.1:${(exporter.address() as AddressInfo).port}`,
      },
      rules: ruleFiles(),
    });
    stops.unshift(() => prometheus.stop());
    const isScraped = async (): Promise<boolean> => {
      const scrapes = await prometheus.query("min(count_over_time(up[1m]))");
      const evaluated = (await prometheus.rules()).every(({ health }) => health !== "unknown");
      return evaluated && Number(scrapes[0]?.value[1] ?? 0) >= 4;
    };
    await eventually(isScraped, "four scrapes of each target, and an evaluation of each rule");
  });
  after(async () => {
    for (const stop of stops) await stop();
    rmSync(folder, { recursive: true });
  });

  it("each target is scraped without an error", async () => {
    const up = await prometheus.query("up == 1");
    assert.deepEqual(up.map(({ metric }) => metric["job"]).sort(), [
      "eventlogger-ingest",
      "eventlogger-pipeline",
      "node",
    ]);
  });

  it("each rule is evaluated without an error, and none of the alerts on state fires for a healthy system", async () => {
    const rules = await prometheus.rules();
    assert.ok(rules.length > 30);
    assert.deepEqual(
      rules.filter(({ health }) => health !== "ok").map(({ name, lastError }) => [name, lastError]),
      [],
    );
    const firing = await prometheus.query('ALERTS{alertstate="firing"}');
    assert.deepEqual(
      firing.map(({ metric }) => metric["alertname"]),
      [],
    );
  });

  it("every query of the dashboard has a result, but those that look a week back", async () => {
    const expressions = plotsOf(readDashboard()).flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => [title, withVariables(expr)] as const),
    );
    assert.ok(expressions.length > 50);
    const empty: string[] = [];
    for (const [title, expression] of expressions) {
      const series = await prometheus.query(expression);
      if (series.length === 0 && !NEEDS_A_WEEK.test(expression)) empty.push(`${title}: ${expression}`);
    }
    assert.deepEqual(empty, []);
    for (const { expr } of readDashboard().annotations.list) await prometheus.query(expr);
  });

  it("every query in the page about service level objectives has a result", async () => {
    const page = readFileSync(join(repositoryRoot, "docs", "operations", "slo.md"), "utf8");
    const blocks = parseMarkdown(page).codeBlocks.filter(({ language }) => language === "promql");
    const expressions = blocks.flatMap(({ text }) => text.split("\n\n"));
    assert.equal(expressions.length, 3);
    for (const expression of expressions) assert.equal((await prometheus.query(expression)).length, 1, expression);
  });

  it("every metric that a rule or the dashboard names exists", async () => {
    const texts = [...(await prometheus.rules()).map(({ query }) => query), JSON.stringify(readDashboard())];
    const names = new Set(texts.flatMap((text) => text.match(METRIC) ?? []));
    assert.ok(names.size > 45);
    const missing: string[] = [];
    for (const name of names) {
      if ((await prometheus.query(`count({__name__="${name}"})`)).length === 0) missing.push(name);
    }
    assert.deepEqual(missing, []);
  });

  it("the series of the tests of alerts have the labels of the real ones", async () => {
    const series = new Set(
      ruleTests().flatMap((file) =>
        [...readFileSync(file, "utf8").matchAll(/series: '([^']+)'/g)].map(([, text = ""]) => text),
      ),
    );
    assert.ok(series.size > 20);
    for (const text of series) {
      const [, name = "", labels = ""] = /^(\w+)\{(.*)\}$/.exec(text) ?? [];
      const written = [...labels.matchAll(/(\w+)="/g)].map(([, label = ""]) => label);
      // The file of verify is scraped from node_exporter, whose job and instance no rule reads.
      if (name.startsWith("eventlogger_")) written.push("job", "instance");
      const real = (await prometheus.query(name)).map(({ metric }) => Object.keys(metric));
      const found = real.some((names) => {
        const own = names.filter((label) => label !== "__name__");
        return own.length === written.length && own.every((label) => written.includes(label));
      });
      assert.ok(found, `${text}: the real labels of ${name} are ${JSON.stringify(real[0] ?? "missing")}`);
    }
  });
});
