import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { printFigures } from "./faultReport";
import type { CallFault } from "./rig/callFaults";
import { usePipelineRig } from "./rig/pipelineRig";

const ALL_KINDS: readonly CallFault[] = ["error", "no answer", "answer lost"];
/** Time to exact numbers when no service is away, ms. Long enough for a busy machine; the time itself is printed. */
const SETTLE_MS = 180_000;
/** How much longer than the outage a recovery may take, ms: restarts of the job, leases, and a busy machine. */
const RECOVERY_ALLOWANCE_MS = 60_000;

describe("The whole chain with services whose calls fail", function () {
  this.timeout(400_000);
  const rig = usePipelineRig();

  it("nothing is lost when a third of the calls of Pub/Sub fail, time out, or are answered after they were carried out", async () => {
    const only = /Publish|Acknowledge|ModifyAckDeadline/;
    for (const { faults } of [rig.callsOfIngest, rig.callsOfPipeline])
      faults.set({ share: 0.3, kinds: ALL_KINDS, only });
    const breaking = setInterval(() => rig.callsOfPipeline.breakStreams(), 3000);
    try {
      await rig.send(rig.traffic({ count: 5000 }), { rate: 300, batchSize: 5 });
    } finally {
      clearInterval(breaking);
    }
    for (const { faults } of [rig.callsOfIngest, rig.callsOfPipeline]) {
      assert.ok(faults.total > 0, "some calls had faults");
      faults.set();
    }
    printFigures(
      `calls with faults: ${JSON.stringify([rig.callsOfIngest.faults.counts, rig.callsOfPipeline.faults.counts])}`,
    );
    await rig.settle(SETTLE_MS);
  });

  it("nothing is lost when a third of the inserts into BigQuery fail, time out, or are answered after they were carried out", async () => {
    const { faults } = rig.bigqueryCalls;
    faults.set({ share: 0.3, kinds: ALL_KINDS, only: /insertAll/ });
    await rig.send(rig.traffic({ count: 5000 }), { rate: 300 });
    assert.ok(faults.total > 0, "some inserts had faults");
    faults.set();
    printFigures(`inserts with faults: ${JSON.stringify(faults.counts)}`);
    await rig.settle(SETTLE_MS);
  });

  it("an event is only acknowledged if Pub/Sub has given it an id, also when Pub/Sub rejects part of each batch and answers OK", async () => {
    rig.callsOfIngest.keepsMessage = (index) => index % 4 !== 3;
    // A batch is accepted when all of its messages are, so the proxy stops in time for the retries.
    const stopped = sleep(5000).then(() => (rig.callsOfIngest.keepsMessage = undefined));
    await rig.send(rig.traffic({ count: 2000 }), { rate: 300, batchSize: 5 });
    await stopped;
    printFigures(`${rig.callsOfIngest.rejectedMessages} messages rejected by an answer that says OK`);
    assert.ok(rig.callsOfIngest.rejectedMessages > 0);
    await rig.settle(SETTLE_MS);
  });

  it("the numbers are exact within the length of an outage after BigQuery has failed every call", async () => {
    const outageMs = 40_000;
    const { faults } = rig.bigqueryCalls;
    const sending = rig.send(rig.traffic({ count: 5000 }), { rate: 5000 / (outageMs / 1000) });
    faults.set({ share: 1, kinds: ["error"] });
    await sleep(outageMs);
    faults.set();
    await sending;
    const { ms } = await rig.settle(SETTLE_MS);
    assert.ok(ms < outageMs + RECOVERY_ALLOWANCE_MS, `exact ${ms} ms after an outage of ${outageMs} ms`);
  });
});
