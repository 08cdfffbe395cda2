import { useIngest } from "@eventlogger/ingest/testing/fixture";
import { printFigures } from "./faultReport";
import { frozen, slow, swallowing, testPubSubFault, unreachable } from "./pubsubFault";

const TIMING = { warmUpMs: 8000, afterMs: 10_000, recoveryLimitMs: 5000 };

describe("Pub/Sub faults", function () {
  this.timeout(240_000);
  const ingest = useIngest();

  for (const [fault, faultMs] of [
    [unreachable, 20_000],
    [swallowing, 20_000],
    [slow, 20_000],
    [frozen, 30_000],
  ] as const) {
    it(`a replica under load recovers after Pub/Sub ${fault.name} for ${faultMs / 1000} s`, async () => {
      const run = `fault-${faultMs}-${Date.now()}`;
      printFigures(...(await testPubSubFault(ingest, fault, run, { ...TIMING, faultMs })));
    });
  }
});
