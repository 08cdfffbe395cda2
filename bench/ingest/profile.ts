import { timeByPart, type CpuProfile, type Parts, type TimeByPart } from "../cpuProfile";

/** Parts of a replica. HTTP/2 and TLS are only used for requests to Google. */
const PARTS: Parts = [
  ["validation", /\/events\/dist\/(validation|eventSchema|eventTime|properties|event\.)|ajv/],
  ["message", /\/events\/dist\//],
  ["access and metrics", /\/ingest\/dist\/(access|telemetry|http\/routePattern)|prom-client/],
  ["publish", /\/ingest\/dist\/publishing|@google-cloud|google-gax|@grpc|protobufjs|google-auth|http2/],
  ["http", /\/ingest\/dist\/|node_modules\/|node:_http|node:http|node:net|node:internal\/stream/],
];

/** The CPU time of a replica by part. */
export function timeOfReplica(profile: CpuProfile): TimeByPart {
  return timeByPart(profile, PARTS);
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
