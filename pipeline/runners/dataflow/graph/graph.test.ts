import "@eventlogger/beam/sdk";
import assert from "node:assert/strict";
import {
  FunctionSpec,
  ParDoPayload,
  Pipeline,
  PTransform,
  PubSubReadPayload,
  StateSpec,
} from "apache-beam/proto/beam_runner_api";
import { graphDot } from "./graphDot";
import { graphHtml } from "./graphHtml";
import { pipelineGraph } from "./pipelineGraph";

interface Step {
  readonly from?: readonly string[];
  readonly to?: readonly string[];
  readonly urn?: string;
  readonly payload?: Uint8Array;
  readonly environmentId?: string;
  readonly parts?: readonly string[];
}

/** The proto of a pipeline. Collections are given by name. */
function pipelineOf(steps: Readonly<Record<string, Step>>): Uint8Array {
  const collections = (names: readonly string[] = []): Record<string, string> =>
    Object.fromEntries(names.map((name, i) => [String(i), name]));
  const transforms = Object.entries(steps).map(([uniqueName, { from, to, urn, payload, environmentId, parts }]) => [
    uniqueName,
    PTransform.create({
      uniqueName,
      inputs: collections(from),
      outputs: collections(to),
      ...(urn !== undefined && { spec: FunctionSpec.create({ urn, payload: payload ?? new Uint8Array() }) }),
      environmentId: environmentId ?? "",
      subtransforms: [...(parts ?? [])],
    }),
  ]);
  return Pipeline.toBinary(
    Pipeline.create({ components: { transforms: Object.fromEntries(transforms) as Record<string, PTransform> } }),
  );
}

const PAR_DO = "beam:transform:pardo:v1";
const js = { urn: PAR_DO, environmentId: "jsEnvironment" };
const HOSTILE = 'Say "hi" </script><b>';

const SMALL = pipelineOf({
  Read: { to: ["messages"], parts: ["Read/Source"] },
  "Read/Source": {
    to: ["messages"],
    urn: "beam:transform:pubsub_read:v1",
    payload: PubSubReadPayload.toBinary(PubSubReadPayload.create({ subscription: "/subscriptions/p/events-pipeline" })),
    parts: ["Read/Source/Replaced"],
  },
  "Read/Source/Replaced": { to: ["messages"], urn: PAR_DO },
  Count: { from: ["messages"], to: ["counts"], parts: ["Count/ByKey", "Count/Group", "Count/Ledger"] },
  "Count/ByKey": { from: ["messages"], to: ["keyed"], ...js },
  "Count/Group": { from: ["keyed"], to: ["groups"], urn: "beam:transform:group_by_key:v1" },
  "Count/Ledger": {
    from: ["groups"],
    to: ["counts"],
    ...js,
    payload: ParDoPayload.toBinary(ParDoPayload.create({ stateSpecs: { users: StateSpec.create() } })),
  },
  "Count/Nothing": { from: ["counts"], to: ["counts"] },
  [HOSTILE]: { from: ["counts"], urn: PAR_DO, environmentId: "java" },
});

describe("The graph of a job", () => {
  it("has the steps that the service runs, in their composites, and the flow of elements between them", () => {
    const { nodes, edges } = pipelineGraph(SMALL);
    assert.deepEqual(
      nodes.map(({ id, parent, isComposite, kind, runsIn, keeps, cells, resource }) =>
        [id, parent, isComposite, kind, runsIn, keeps, cells.join(), resource].map(String).join(" | "),
      ),
      [
        "Count | null | true | composite | parts | null |  | null",
        "Count/ByKey | Count | false | processes elements | TypeScript | null |  | null",
        "Count/Group | Count | false | groups by key | service | groups |  | null",
        "Count/Ledger | Count | false | processes elements | TypeScript | state | users | null",
        "Read | null | true | composite | parts | null |  | null",
        "Read/Source | Read | false | reads a subscription | service | position |  | subscription events-pipeline",
        `${HOSTILE} | null | false | processes elements | Java | null |  | null`,
      ],
    );
    assert.deepEqual(
      edges.map(({ from, to }) => `${from} -> ${to}`),
      [
        "Count/ByKey -> Count/Group",
        "Count/Group -> Count/Ledger",
        `Count/Ledger -> ${HOSTILE}`,
        "Read/Source -> Count/ByKey",
      ],
    );
  });

  it("leaves out a composite whose only part is another composite, unless it is at the top", () => {
    const { nodes } = pipelineGraph(
      pipelineOf({
        Top: { parts: ["Top/Only"] },
        "Top/Only": { parts: ["Top/Only/A", "Top/Only/B"] },
        "Top/Only/A": { parts: ["Top/Only/A/Do"] },
        "Top/Only/A/Do": { to: ["a"], ...js },
        "Top/Only/B": { from: ["a"], ...js },
      }),
    );
    assert.deepEqual(
      nodes.map(({ id, label, parent }) => [id, label, parent]),
      [
        ["Top", "Top", null],
        ["Top/Only", "Only", "Top"],
        ["Top/Only/A/Do", "A/Do", "Top/Only"],
        ["Top/Only/B", "B", "Top/Only"],
      ],
    );
  });

  it("is drawn by Graphviz with its names unchanged, whatever characters they contain", async () => {
    // A module of ES syntax only.
    const graphviz = await import("@viz-js/viz");
    const dot = graphDot(pipelineGraph(SMALL), HOSTILE);
    const { status, output, errors } = (await graphviz.instance()).render(dot, { format: "json0" });
    assert.ok(status === "success", JSON.stringify(errors));
    const { name, objects } = JSON.parse(output) as { name: string; objects: { name: string }[] };
    assert.equal(name, HOSTILE);
    assert.deepEqual(
      objects.map((object) => object.name).sort(),
      [
        ...["Count/ByKey", "Count/Group", "Count/Ledger", "Read/Source", HOSTILE],
        ...["cluster Count", "cluster Read"],
      ].sort(),
    );
  });

  it("is a page whose names cannot become markup or end its script", () => {
    const page = graphHtml(pipelineGraph(SMALL), { title: HOSTILE, facts: [["Image", HOSTILE]] });
    assert.equal(page.split("</script>").length - 1, 3);
    assert.ok(!page.includes("<b>"));
    const data = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page)?.[1] ?? "";
    assert.deepEqual(JSON.parse(data), pipelineGraph(SMALL));
    assert.doesNotMatch(page, /\{\{|(src|href)="/);
  });
});
