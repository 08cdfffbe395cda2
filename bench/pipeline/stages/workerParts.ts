import { timeByPart, type CpuProfile, type Parts, type TimeByPart } from "../../cpuProfile";

/** Parts of a worker. Functions of other files, such as those of packages/events, count to their nearest caller. */
const PARTS: Parts = [
  ["source of the benchmark", /\/bench\/dist\//],
  ["ParseMessages", /\/pipeline\/dist\/parse\//],
  ["CountSessions", /\/pipeline\/dist\/sessions\//],
  ["CountUsers", /\/pipeline\/dist\/users\//],
  ["RecordAccepted", /\/pipeline\/dist\/accepted\//],
  ["DayTotals", /\/pipeline\/dist\/totals\//],
  ["ToEventRows", /\/pipeline\/dist\/io\//],
  ["state and its cache", /\/beam\/dist\/state\//],
  ["gRPC", /@grpc\/grpc-js|node:http2|node:internal\/http2|node:net|node:internal\/stream/],
  ["protobuf", /protobuf/],
  ["Beam's worker", /\/beam\/dist\/|\/apache-beam\//],
  ["loading modules", /node:internal\/modules/],
];

/** The CPU time of a worker by part. */
export function timeOfWorker(profile: CpuProfile): TimeByPart {
  return timeByPart(profile, PARTS);
}
