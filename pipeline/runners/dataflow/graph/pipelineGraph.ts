import "@eventlogger/beam/sdk";
import { tables } from "@eventlogger/gcp/bigquery/tables";
import { Components, Pipeline, PubSubReadPayload, type PTransform } from "apache-beam/proto/beam_runner_api";
import type { Kept } from "../update/step";
import { stepsOf } from "../update/steps";

/** Where the code of a step runs: a TypeScript worker, Java's worker, or the service itself. A composite has several parts. */
export type RunsIn = "TypeScript" | "Java" | "service" | "parts";

/** A step, or a composite of steps; plain JSON. */
export interface GraphNode {
  /** Full name, with the names of its composites: `CountUsers/UserLedger`. */
  readonly id: string;
  /** The name without those of its composites. */
  readonly label: string;
  /** The composite that it is a part of; null at the top. */
  readonly parent: string | null;
  readonly isComposite: boolean;
  /** In words, such as `groups by key`. */
  readonly kind: string;
  readonly runsIn: RunsIn;
  /** What it keeps between elements; null: nothing. An update of the job transfers it by the name of the step. */
  readonly keeps: Kept | null;
  /** Names of state cells and timers. */
  readonly cells: readonly string[];
  /** Windows of its input, such as `sessions of 30m`; null when unknown. */
  readonly windows: string | null;
  /** The subscription that it reads, or the table that it writes; null for every other step. */
  readonly resource: string | null;
}

/** A collection that one step emits and another one gets. */
export interface GraphEdge {
  readonly from: string;
  readonly to: string;
}

/** The steps of a pipeline and how elements flow between them. Composites come before their parts. */
export interface PipelineGraph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

const PAR_DO = "beam:transform:pardo:v1";
/** Dataflow replaces this composite with its own source, so that its parts do not run. */
const PUBSUB_READ = "beam:transform:pubsub_read:v1";
const BIGQUERY_WRITE = "beam:transform:org.apache.beam:bigquery_write:v1";
/** The environment of our own steps. */
const OUR_ENVIRONMENT = "jsEnvironment";

/** Kinds of steps in words, by URN. Those of other URNs are the name in the URN. */
const KINDS: Readonly<Record<string, string>> = {
  [PAR_DO]: "processes elements",
  [PUBSUB_READ]: "reads a subscription",
  "beam:transform:group_by_key:v1": "groups by key",
  "beam:transform:flatten:v1": "merges collections",
  "beam:transform:impulse:v1": "emits one element at the start",
};

/** The table in the configuration of a write, as `PROJECT:DATASET.TABLE`. Java serialised it with its length before it; a project begins with a letter. */
export function tableIn(configuration: Uint8Array | undefined): string | undefined {
  const pattern = new RegExp(`[a-z][\\w-]*:\\w+\\.(${tables.map(({ name }) => name).join("|")})`);
  return pattern.exec(Buffer.from(configuration ?? []).toString("latin1"))?.[0];
}

function resourceOf({ spec, annotations }: PTransform): string | null {
  if (spec?.urn === PUBSUB_READ) {
    const { subscription } = PubSubReadPayload.fromBinary(spec.payload);
    return `subscription ${subscription.split("/").at(-1)}`;
  }
  if (spec?.urn !== BIGQUERY_WRITE) return null;
  const table = tableIn(annotations["config_row"]);
  return table === undefined ? null : `table ${table.replace(/^.*:/, "")}`;
}

function kindOf(transform: PTransform, isComposite: boolean): string {
  const urn = transform.spec?.urn ?? "";
  if (isComposite) return urn === BIGQUERY_WRITE ? "writes a table" : "composite";
  return KINDS[urn] ?? /^beam:transform:(?:.*:)?([\w.]+):v\d+$/.exec(urn)?.[1]?.replaceAll("_", " ") ?? "other step";
}

function runsIn({ spec, environmentId }: PTransform, isComposite: boolean): RunsIn {
  if (isComposite) return "parts";
  // What is no ParDo runs in the service, also when Java has declared it.
  if (spec?.urn !== PAR_DO) return "service";
  return environmentId === OUR_ENVIRONMENT ? "TypeScript" : "Java";
}

/** The name of the composite that contains a step: the longest other name that is a part of the name, at a `/`. */
function parentOf(name: string, names: ReadonlySet<string>): string | null {
  for (let end = name.lastIndexOf("/"); end > 0; end = name.lastIndexOf("/", end - 1)) {
    const parent = name.slice(0, end);
    if (names.has(parent)) return parent;
  }
  return null;
}

/** A name that comes before those of its parts, whatever characters they contain. */
const byPath = (a: PTransform, b: PTransform): number => {
  const [one, other] = [a.uniqueName.split("/"), b.uniqueName.split("/")];
  const at = one.findIndex((part, i) => part !== other[i]);
  if (at < 0) return one.length - other.length;
  return (one[at] as string) < (other[at] ?? "") ? -1 : 1;
};

/**
 * The graph of an encoded pipeline proto, as Dataflow runs it. Steps that consist of nothing, and the parts of sources which the
 * service replaces, are not in it.
 */
export function pipelineGraph(pipeline: Uint8Array): PipelineGraph {
  const components = Pipeline.fromBinary(pipeline).components ?? Components.create();
  const steps = new Map(stepsOf(pipeline).map((step) => [step.name, step]));
  const all = Object.values(components.transforms);
  const leaves = all.filter(({ uniqueName }) => steps.has(uniqueName));
  const composites = compositesOf(all, leaves);
  const names = new Set(composites.map(({ uniqueName }) => uniqueName));
  const nodes = [...composites, ...leaves].sort(byPath).map((transform): GraphNode => {
    const { uniqueName: id } = transform;
    const step = steps.get(id);
    const parent = parentOf(id, names);
    return {
      id,
      label: parent === null ? id : id.slice(parent.length + 1),
      parent,
      isComposite: !step,
      kind: kindOf(transform, !step),
      runsIn: runsIn(transform, !step),
      keeps: step?.keeps ?? null,
      cells: step?.cells ?? [],
      windows: step?.windows ?? null,
      resource: resourceOf(transform),
    };
  });
  return { nodes, edges: edgesOf(leaves) };
}

/**
 * The composites that are shown: those at the top, and those with several parts. A composite with a single part only makes the name of the
 * part longer.
 */
function compositesOf(all: readonly PTransform[], leaves: readonly PTransform[]): PTransform[] {
  const isLeaf = new Set(leaves.map(({ uniqueName }) => uniqueName));
  const names = new Set(all.map(({ uniqueName }) => uniqueName).filter((name) => name && !isLeaf.has(name)));
  const parts = new Map<string, Set<string>>();
  for (const leaf of isLeaf) {
    for (let part = leaf; ;) {
      const parent = parentOf(part, names);
      if (parent === null) break;
      parts.set(parent, (parts.get(parent) ?? new Set<string>()).add(part));
      part = parent;
    }
  }
  return all.filter(({ uniqueName }) => {
    const count = parts.get(uniqueName)?.size ?? 0;
    return count > 1 || (count === 1 && parentOf(uniqueName, names) === null);
  });
}

/** The edges between steps. A composite passes its collections on, and has none of its own. */
function edgesOf(leaves: readonly PTransform[]): GraphEdge[] {
  const producers = new Map<string, string>();
  for (const { uniqueName, outputs } of leaves) {
    for (const collection of Object.values(outputs)) producers.set(collection, uniqueName);
  }
  const edges = new Map<string, GraphEdge>();
  for (const { uniqueName: to, inputs } of leaves) {
    for (const collection of Object.values(inputs)) {
      const from = producers.get(collection);
      if (from !== undefined) edges.set(JSON.stringify([from, to]), { from, to });
    }
  }
  return [...edges.values()].sort((a, b) => (a.from + a.to < b.from + b.to ? -1 : 1));
}
