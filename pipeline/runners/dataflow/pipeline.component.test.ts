import "@eventlogger/beam/sdk";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { ensureExpansionClasspath } from "@eventlogger/beam";
import { cacheDir, repositoryRoot } from "@eventlogger/process/packageRoot";
import { describePipeline, type PipelineDescription } from "./testing/describePipeline";

const OPTIONS = {
  project: "some-project",
  subscription: "events-pipeline",
  replaySubscription: "events-pipeline-replay-g1",
  dataset: "analytics",
  workerImage: "europe-west1-docker.pkg.dev/some-project/eventlogger/worker:0.1.0",
  sessionGapMs: 1_800_000,
  lateAfterMs: 86_400_000,
  earlyFiringMs: 10_000,
  shardHashSecret: "00112233445566778899aabbccddeeff",
};

const GOLDEN = path.join(repositoryRoot, "pipeline/runners/dataflow/pipeline.golden.json");

/** Coders that SDKs of every language know; others may only be between steps of one environment. */
const SHARED_CODERS = /^beam:coder:(bytes|string_utf8|kv|iterable|row|global_window|interval_window):v1$/;

interface Built {
  readonly pipeline: runnerApi.Pipeline;
  readonly components: runnerApi.Components;
  readonly nodeModules: readonly string[];
}

describe("the pipeline for Dataflow", () => {
  let directory: string;
  let built: Built;

  function build(eventsSemantics: string): Built {
    const file = path.join(directory, "pipeline.pb");
    const program = path.join(__dirname, "testing", "buildPipeline.js");
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [program, file, JSON.stringify({ ...OPTIONS, eventsSemantics })],
      { encoding: "utf8" },
    );
    assert.equal(status, 0, stderr);
    const pipeline = runnerApi.Pipeline.fromBinary(readFileSync(file));
    const nodeModules = JSON.parse(stdout) as string[];
    return { pipeline, components: pipeline.components as runnerApi.Components, nodeModules };
  }

  before(async function () {
    this.timeout(600_000); // the first run builds the expansion service
    directory = mkdtempSync(path.join(tmpdir(), "dataflow-pipeline-"));
    await ensureExpansionClasspath({ cacheDir });
    built = build("at-least-once");
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  it("equals the golden pipeline, so that an update keeps the state of a running job", () => {
    const found = describePipeline(built.pipeline, built.nodeModules);
    if (process.env["UPDATE_GOLDEN"]) writeFileSync(GOLDEN, `${JSON.stringify(found, null, 2)}\n`);
    const golden = JSON.parse(readFileSync(GOLDEN, "utf8")) as PipelineDescription;
    const names = (d: PipelineDescription): string[] => [...Object.keys(d.steps), ...d.javaSteps];
    const removed = names(golden).filter((name) => !names(found).includes(name));
    const added = names(found).filter((name) => !names(golden).includes(name));
    assert.deepEqual(
      { removed, added },
      { removed: [], added: [] },
      "The step names differ from pipeline.golden.json: " +
        `removed ${JSON.stringify(removed)}, added ${JSON.stringify(added)}. ` +
        "Dataflow transfers state by step names: a renamed step would lose its state, and the update is refused. " +
        "Keep the names. Otherwise users of running jobs must map the old names with --transform-name-mapping or drain " +
        "the job; then update the file with UPDATE_GOLDEN=1.",
    );
    assert.deepEqual(
      found,
      golden,
      "The pipeline differs from pipeline.golden.json. If a running job can be updated to it (coders and kinds of state " +
        "must not change), or will be drained, update the file with UPDATE_GOLDEN=1.",
    );
  });

  it("is complete: every id resolves, and every collection has a coder, windowing and boundedness", () => {
    const { transforms, pcollections, coders, windowingStrategies, environments } = built.components;
    for (const { uniqueName, inputs, outputs, environmentId, subtransforms, spec } of Object.values(transforms)) {
      for (const id of [...Object.values(inputs), ...Object.values(outputs)]) assert(pcollections[id], uniqueName);
      for (const id of subtransforms) assert(transforms[id], uniqueName);
      if (environmentId) assert(environments[environmentId], `${uniqueName}: ${environmentId}`);
      if (spec?.urn === "beam:transform:pardo:v1") assert(environmentId, uniqueName);
    }
    for (const [id, { coderId, windowingStrategyId, isBounded }] of Object.entries(pcollections)) {
      assert(coders[coderId] && windowingStrategies[windowingStrategyId] && isBounded, id);
    }
    for (const [id, { componentCoderIds }] of Object.entries(coders)) {
      for (const part of componentCoderIds) assert(coders[part], id);
    }
    for (const [id, strategy] of Object.entries(windowingStrategies)) {
      assert(coders[strategy.windowCoderId] && environments[strategy.environmentId] && strategy.windowFn, id);
      for (const field of [
        "mergeStatus",
        "accumulationMode",
        "outputTime",
        "closingBehavior",
        "onTimeBehavior",
      ] as const) {
        assert.notEqual(strategy[field], 0, `${id}: ${field} is not set`);
      }
      assert(strategy.trigger, `${id}: trigger`);
    }
    const used = new Set(Object.values(transforms).map(({ environmentId }) => environmentId));
    for (const id of Object.keys(environments)) assert(used.has(id), `no step runs in ${id}`);
  });

  it("uses only coders that TypeScript, Java and the runner know between languages and at groupings", () => {
    const { transforms, pcollections, coders } = built.components;
    const urns = (id: string): string[] => {
      const { spec, componentCoderIds } = coders[id] as runnerApi.Coder;
      return [spec?.urn ?? "", ...componentCoderIds.flatMap(urns)];
    };
    const leaves = Object.values(transforms).filter(({ subtransforms, spec }) => !subtransforms.length && spec);
    const producers = new Map(leaves.flatMap((t) => Object.values(t.outputs).map((id) => [id, t] as const)));
    const language = ({ environmentId }: runnerApi.PTransform): string =>
      environmentId === "jsEnvironment" ? "TypeScript" : environmentId ? "Java" : "runner";
    let edges = 0;
    for (const consumer of leaves) {
      for (const id of Object.values(consumer.inputs)) {
        const producer = producers.get(id) as runnerApi.PTransform;
        const languages = [language(producer), language(consumer)];
        // Java may use its own coders towards the runner, which does not decode them.
        if (languages[0] === languages[1] || !languages.includes("TypeScript")) continue;
        edges++;
        for (const urn of urns((pcollections[id] as runnerApi.PCollection).coderId)) {
          assert.match(urn, SHARED_CODERS, `${producer.uniqueName} to ${consumer.uniqueName}`);
        }
      }
    }
    // The reads of both subscriptions; rows and rejected rows of five writes; input and output of the grouping of sessions.
    assert.equal(edges, 14);
  });

  it("contains no part of the source for other runners, and only unbounded collections", () => {
    const { transforms, pcollections } = built.components;
    for (const { uniqueName, spec, environmentId, outputs } of Object.values(transforms)) {
      if (environmentId !== "jsEnvironment") continue;
      for (const id of Object.values(outputs)) {
        assert.equal(pcollections[id]?.isBounded, runnerApi.IsBounded_Enum.UNBOUNDED, `${uniqueName} is bounded`);
      }
      if (spec?.urn !== "beam:transform:pardo:v1") continue;
      const payload = runnerApi.ParDoPayload.fromBinary(spec.payload);
      assert.equal(payload.restrictionCoderId, "", uniqueName);
      assert.equal(payload.requestsFinalization, false, uniqueName);
    }
  });

  it("writes raw rows exactly once with --events-semantics exactly-once, with the same steps of ours", () => {
    const exact = build("exactly-once");
    const name = ({ uniqueName }: runnerApi.PTransform): string => uniqueName;
    const names = ({ components }: Built): string[] => Object.values(components.transforms).map(name);
    const commits = (b: Built, write: string): boolean =>
      names(b).some((n) => n.startsWith(`${write}/`) && n.includes("/Flush and finalize writes"));
    assert.deepEqual(
      ["WriteEvents", "WriteRollupVersions", "WriteDeadLetters", "WriteAcceptedIds"].map((write) => [
        commits(built, write),
        commits(exact, write),
      ]),
      [
        [false, true],
        [true, true],
        [false, false],
        [false, false],
      ],
    );
    const ours = (b: Built): string[] => Object.keys(describePipeline(b.pipeline, []).steps);
    assert.deepEqual(ours(exact), ours(built));
  });
});
