import type { Kept, Step } from "./step";

/** The effect of an update on the steps of a running job. */
export interface UpdatePlan {
  /** Steps that the mapping renames. */
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Losses of state of the running job: one message each, with the reason and what to do. */
  readonly losses: readonly string[];
  /** Problems with entries of the mapping that match no step. */
  readonly wrongMappings: readonly string[];
}

const KEPT: Readonly<Record<Kept, string>> = {
  groups: "elements buffered for their window",
  state: "state",
  position: "position of the source",
  "maybe state": "possibly state",
};

const isUnder = (name: string, prefix: string): boolean => name === prefix || name.startsWith(`${prefix}/`);

/** The new name of a step. The longest mapped prefix of its name applies, as in Dataflow. */
function mapName(name: string, mapping: Readonly<Record<string, string>>): string {
  const [prefix] = Object.keys(mapping)
    .filter((key) => isUnder(name, key))
    .sort((a, b) => b.length - a.length);
  return prefix === undefined ? name : `${mapping[prefix]}${name.slice(prefix.length)}`;
}

const lastName = (name: string): string => name.slice(name.lastIndexOf("/") + 1);

/** The name of the added step that is probably the renamed old step; otherwise a placeholder. */
function likelyName(old: Step, candidates: readonly Step[]): string {
  const alike = candidates.filter((step) => step.keeps === old.keeps || old.keeps === "maybe state");
  const same = alike.filter((step) => lastName(step.name) === lastName(old.name));
  const [only] = same.length === 1 ? same : alike.length === 1 ? alike : [];
  return only?.name ?? "NEW_NAME";
}

/** The coders of kept data that differ; a coder that only one of the steps has is no change of what is stored. */
function changedCoders(old: Step, next: Step): string[] {
  return Object.entries(old.coders).flatMap(([name, before]) => {
    const after = next.coders[name];
    return after === undefined || after === before ? [] : [`${name} from ${before} to ${after}`];
  });
}

function lossOf(old: Step, target: string, next: Step | undefined, candidates: readonly Step[]): string | undefined {
  if (!old.keeps) return undefined;
  const step = `${old.name} (${KEPT[old.keeps]})`;
  if (!next) {
    return (
      `${step} ${target === old.name ? "was removed" : `has no successor ${target}`}. If it was renamed, map its name: ` +
      `--transform-name-mapping ${old.name}=${likelyName(old, candidates)}`
    );
  }
  if (old.keeps === "maybe state") return undefined;
  if (next.keeps !== old.keeps) return `${step} would keep ${next.keeps ? KEPT[next.keeps] : "no state"} instead`;
  if (old.windows !== undefined && next.windows !== old.windows)
    return `${step} would change its windowing from ${old.windows} to ${next.windows}`;
  const lost = old.cells.filter((cell) => !next.cells.includes(cell));
  if (lost.length) return `${step} would lose ${lost.join(", ")}`;
  const changed = changedCoders(old, next);
  return changed.length
    ? `${step} would change its coders, and the new ones cannot read what is stored: ${changed.join("; ")}`
    : undefined;
}

/**
 * Compares the steps of a running job with those of its replacement.
 * @param mapping prefixes of old names to prefixes of new names
 */
export function planUpdate(
  running: readonly Step[],
  next: readonly Step[],
  mapping: Readonly<Record<string, string>>,
): UpdatePlan {
  const nextByName = new Map(next.map((step) => [step.name, step]));
  const taken = new Set<string>();
  const renamed: { from: string; to: string }[] = [];
  const removed: Step[] = [];
  for (const old of running) {
    const target = mapName(old.name, mapping);
    if (!nextByName.has(target)) {
      removed.push(old);
      continue;
    }
    taken.add(target);
    if (target !== old.name) renamed.push({ from: old.name, to: target });
  }
  const added = next.filter((step) => !taken.has(step.name));
  const losses = running.flatMap((old) => {
    const target = mapName(old.name, mapping);
    return lossOf(old, target, nextByName.get(target), added) ?? [];
  });
  const wrongMappings = Object.entries(mapping).flatMap(([from, to]) => [
    ...(running.some((step) => isUnder(step.name, from)) ? [] : [`the running job has no step ${from}`]),
    ...(next.some((step) => isUnder(step.name, to)) ? [] : [`the new pipeline has no step ${to}`]),
  ]);
  return {
    renamed,
    added: added.map((step) => step.name),
    removed: removed.map((step) => step.name),
    losses,
    wrongMappings,
  };
}
