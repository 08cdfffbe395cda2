import { setTimeout as sleep } from "node:timers/promises";
import type { Relay } from "@eventlogger/process/testing/relay";
import { usePipelineRig, type PipelineRig } from "./rig/pipelineRig";

const SETTLE_MS = 180_000;
const RATE = 200;

interface NetworkFault {
  readonly name: string;
  begin(relay: Relay): unknown;
  /** How long it lasts, ms. */
  readonly ms: number;
}

const FAULTS: readonly NetworkFault[] = [
  { name: "is slow (200 ms each way)", ms: 8000, begin: (relay) => relay.setConditions({ delayMs: 200 }) },
  {
    name: "is narrow (100 KB/s) and forwards pieces of 1,000 bytes",
    ms: 8000,
    begin: (relay) => relay.setConditions({ bytesPerSecond: 100_000, sliceBytes: 1000 }),
  },
  {
    name: "resets a connection at every 20th packet",
    ms: 8000,
    begin: (relay) => relay.setConditions({ resetEvery: 20 }),
  },
  { name: "forgets its connections, which stay half open", ms: 8000, begin: (relay) => relay.forgetConnections() },
  { name: "accepts connections and forwards nothing", ms: 15_000, begin: (relay) => relay.swallow() },
  { name: "refuses connections", ms: 8000, begin: (relay) => relay.cut() },
];

describe("The pipeline with a faulty network", function () {
  this.timeout(300_000);
  const rig = usePipelineRig();

  async function testFault(relay: Relay, fault: NetworkFault): Promise<void> {
    const { ms } = fault;
    const sending = rig.send(rig.traffic({ count: ((ms + 2000) / 1000) * RATE }), { rate: RATE });
    await sleep(1000);
    await fault.begin(relay);
    await sleep(ms);
    relay.setConditions({});
    await relay.restore();
    await sending;
    await rig.settle(SETTLE_MS);
  }

  const ways: readonly [string, (rig: PipelineRig) => Relay][] = [
    ["Pub/Sub", ({ pubsubNetwork }) => pubsubNetwork],
    ["BigQuery", ({ bigqueryNetwork }) => bigqueryNetwork],
  ];
  for (const [service, relay] of ways) {
    for (const fault of FAULTS) {
      it(`the numbers are exact and nothing is lost after the network to ${service} ${fault.name}`, () =>
        testFault(relay(rig), fault));
    }
  }
});
