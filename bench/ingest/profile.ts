import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A V8 CPU profile, https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile */
interface CpuProfile {
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

/** µs of CPU time by part of the replica. */
export type TimeByPart = ReadonlyMap<string, number>;

/**
 * Attributes time to the nearest caller in this list. HTTP/2 and TLS are only used for requests to Google.
 */
const PARTS: readonly (readonly [part: string, url: RegExp])[] = [
  ["validation", /\/events\/dist\/(validation|eventSchema|eventTime|properties|event\.)|ajv/],
  ["message", /\/events\/dist\//],
  ["access and metrics", /\/ingest\/dist\/(access|telemetry|http\/routePattern)|prom-client/],
  ["publish", /\/ingest\/dist\/publishing|@google-cloud|google-gax|@grpc|protobufjs|google-auth|http2/],
  ["http", /\/ingest\/dist\/|node_modules\/|node:_http|node:http|node:net|node:internal\/stream/],
];
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

/** Reads the only profile of a directory. @throws Error when there is none or more than one */
export function readProfile(directory: string): TimeByPart {
  const files = readdirSync(directory).filter((name) => name.endsWith(".cpuprofile"));
  const [file] = files;
  if (file === undefined || files.length > 1)
    throw new Error(`Expected one profile in ${directory}, found ${files.length}`);
  return timeByPart(JSON.parse(readFileSync(join(directory, file), "utf8")) as CpuProfile);
}

function ownPart({ callFrame: { functionName, url } }: ProfileNode): string | undefined {
  if (url === "") return NATIVE.get(functionName);
  return PARTS.find(([, pattern]) => pattern.test(url))?.[0];
}

/** Adds up the CPU time of a profile by part, without idle time. */
export function timeByPart({ nodes, samples, timeDeltas }: CpuProfile): TimeByPart {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const partOf = new Map<number, string>();
  const descend = (node: ProfileNode, inherited: string): void => {
    const part = ownPart(node) ?? inherited;
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

/** Formats the times as a table, in µs per event, with the sum of the work that is independent of HTTP. */
export function reportProfile(times: TimeByPart, events: number): string {
  const each = (part: string): number => (times.get(part) ?? 0) / events;
  const total = [...times.values()].reduce((sum, us) => sum + us, 0) / events;
  const lines = [...times.keys()]
    .sort((a, b) => each(b) - each(a))
    .map((part) => `  ${part.padEnd(20)} ${each(part).toFixed(1).padStart(6)}`);
  const event = each("validation") + each("message") + each("publish");
  return (
    `profile, µs of CPU per event (including start and warm-up)\n${lines.join("\n")}\n  ${"all".padEnd(20)} ${total.toFixed(1).padStart(6)}\n` +
    `  validation, message and publish together: ${event.toFixed(1)}`
  );
}
