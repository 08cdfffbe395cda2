import "@eventlogger/beam/sdk";
import { Components, ParDoPayload, Pipeline, type PTransform, type StateSpec } from "apache-beam/proto/beam_runner_api";
import { SessionWindowsPayload } from "apache-beam/proto/standard_window_fns";
import { formatDuration } from "@eventlogger/options/options";
import { coderText } from "./coderText";
import type { Step } from "./step";

const GROUP = "beam:transform:group_by_key:v1";
const PAR_DO = "beam:transform:pardo:v1";
/** Dataflow replaces this composite with its own source, so that its parts do not run. */
const PUBSUB_READ = "beam:transform:pubsub_read:v1";
const KV_CODER = "beam:coder:kv:v1";
const SESSIONS = "beam:window_fn:session_windows:v1";

function windowsOf(transform: PTransform, components: Components): string {
  const [input] = Object.values(transform.inputs);
  const strategy = components.windowingStrategies[components.pcollections[input ?? ""]?.windowingStrategyId ?? ""];
  const { urn = "", payload = new Uint8Array() } = strategy?.windowFn ?? {};
  if (urn === SESSIONS) {
    const gap = SessionWindowsPayload.fromBinary(payload).gapSize;
    return `sessions of ${formatDuration(Number(gap?.seconds ?? 0) * 1000 + (gap?.nanos ?? 0) / 1e6)}`;
  }
  const name = /^beam:window_fn:(.+):v\d+$/.exec(urn)?.[1]?.replaceAll("_", " ") ?? urn;
  return payload.length ? `${name} (${Buffer.from(payload).toString("hex")})` : name;
}

function inputCoder(transform: PTransform, components: Components): string | undefined {
  const [input] = Object.values(transform.inputs);
  return components.pcollections[input ?? ""]?.coderId;
}

/** Coder of the key of a keyed collection; undefined when the coder is not a KV coder. */
function keyCoder(coderId: string | undefined, components: Components): string | undefined {
  const coder = components.coders[coderId ?? ""];
  return coder?.spec?.urn === KV_CODER ? coder.componentCoderIds[0] : undefined;
}

/** Coders of the values of a state cell, by what they encode; undefined for a kind of state that is not known here. */
function stateCoders({ spec }: StateSpec): Record<string, string> {
  switch (spec.oneofKind) {
    case "readModifyWriteSpec":
      return { "": spec.readModifyWriteSpec.coderId };
    case "bagSpec":
      return { "": spec.bagSpec.elementCoderId };
    case "combiningSpec":
      return { "": spec.combiningSpec.accumulatorCoderId };
    case "mapSpec":
      return { " keys": spec.mapSpec.keyCoderId, " values": spec.mapSpec.valueCoderId };
    case "setSpec":
      return { "": spec.setSpec.elementCoderId };
    case "orderedListSpec":
      return { "": spec.orderedListSpec.elementCoderId };
    case undefined:
      return {};
  }
}

function coderTexts(ids: Readonly<Record<string, string | undefined>>, components: Components): Record<string, string> {
  return Object.fromEntries(
    Object.entries(ids).flatMap(([name, id]) => (id ? [[name, coderText(components, id)] as const] : [])),
  );
}

function stepOf(transform: PTransform, components: Components): Step {
  const { urn = "", payload = new Uint8Array() } = transform.spec ?? {};
  const step = { name: transform.uniqueName, cells: [], coders: {}, windows: windowsOf(transform, components) };
  const elements = inputCoder(transform, components);
  if (urn === PUBSUB_READ) return { ...step, keeps: "position" };
  if (urn === GROUP) return { ...step, keeps: "groups", coders: coderTexts({ elements }, components) };
  if (urn !== PAR_DO) return { ...step, keeps: undefined };
  const { stateSpecs, timerFamilySpecs, restrictionCoderId } = ParDoPayload.fromBinary(payload);
  const cells = [...Object.keys(stateSpecs), ...Object.keys(timerFamilySpecs)].sort();
  if (cells.length === 0) {
    if (!restrictionCoderId) return { ...step, keeps: undefined };
    return { ...step, keeps: "position", coders: coderTexts({ restriction: restrictionCoderId }, components) };
  }
  const ids: Record<string, string | undefined> = { key: keyCoder(elements, components) };
  for (const [name, spec] of Object.entries(stateSpecs)) {
    for (const [part, id] of Object.entries(stateCoders(spec))) ids[`state ${name}${part}`] = id;
  }
  for (const [name, spec] of Object.entries(timerFamilySpecs)) ids[`timer ${name}`] = spec.timerFamilyCoderId;
  return { ...step, cells, keeps: "state", coders: coderTexts(ids, components) };
}

/** Ids of all parts of a composite, at any depth. */
function* partsOf(transform: PTransform, components: Components): Iterable<string> {
  for (const id of transform.subtransforms) {
    yield id;
    const part = components.transforms[id];
    if (part) yield* partsOf(part, components);
  }
}

/** The primitive steps of an encoded pipeline proto, sorted by name. */
export function stepsOf(pipeline: Uint8Array): Step[] {
  const components = Pipeline.fromBinary(pipeline).components ?? Components.create();
  const transforms = Object.entries(components.transforms);
  const replaced = transforms.filter(([, transform]) => transform.spec?.urn === PUBSUB_READ);
  const notRun = new Set(replaced.flatMap(([, transform]) => [...partsOf(transform, components)]));
  const isStep = (transform: PTransform): boolean =>
    transform.subtransforms.length === 0 || transform.spec?.urn === PUBSUB_READ;
  return transforms
    .filter(([id, transform]) => transform.spec && isStep(transform) && !notRun.has(id))
    .map(([, transform]) => stepOf(transform, components))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
