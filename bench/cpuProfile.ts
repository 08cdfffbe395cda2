import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A V8 CPU profile, https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Ids of the running nodes, one per sample. */
  readonly samples: readonly number[];
  /** µs before each sample. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

/** µs of CPU time by part of a program. */
export type TimeByPart = ReadonlyMap<string, number>;

/** Parts of a program by the files of their functions. The first pattern that matches counts. */
export type Parts = readonly (readonly [part: string, url: RegExp])[];

const OTHER = "other";
/** Entries of V8 itself, which have no file. */
const NATIVE: ReadonlyMap<string, string | undefined> = new Map([
  ["(garbage collector)", "garbage collection"],
  ["(idle)", undefined],
  ["(program)", "native code"],
]);

/** Flags that make Node write a profile to `directory` when it exits. */
export function profileFlags(directory: string): readonly string[] {
  return ["--cpu-prof", "--cpu-prof-dir", directory];
}

/** Reads the only profile of a directory. @throws Error when there is no profile, or more than one */
export function readProfile(directory: string): CpuProfile {
  const files = readdirSync(directory).filter((name) => name.endsWith(".cpuprofile"));
  const [file] = files;
  if (file === undefined || files.length > 1)
    throw new Error(`Expected one profile in ${directory}, found ${files.length}`);
  return JSON.parse(readFileSync(join(directory, file), "utf8")) as CpuProfile;
}

function ownPart(parts: Parts, { callFrame: { functionName, url } }: ProfileNode): string | undefined {
  if (url === "") return NATIVE.get(functionName);
  return parts.find(([, pattern]) => pattern.test(url))?.[0];
}

/** Adds up the CPU time of a profile by part, without idle time. A function without a part counts to its nearest caller. */
export function timeByPart({ nodes, samples, timeDeltas }: CpuProfile, parts: Parts): TimeByPart {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const partOf = new Map<number, string>();
  const descend = (node: ProfileNode, inherited: string): void => {
    const part = ownPart(parts, node) ?? inherited;
    partOf.set(node.id, part);
    for (const child of node.children ?? []) {
      const childNode = byId.get(child);
      if (childNode) descend(childNode, part);
    }
  };
  const [root] = nodes;
  if (root) descend(root, OTHER);
  const times = new Map<string, number>();
  samples.forEach((id, i) => {
    if (byId.get(id)?.callFrame.functionName === "(idle)") return;
    const part = partOf.get(id) ?? OTHER;
    times.set(part, (times.get(part) ?? 0) + (timeDeltas[i] ?? 0));
  });
  return times;
}
