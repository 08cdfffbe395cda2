import { useIngest } from "@eventlogger/ingest/testing/fixture";
import { printFigures } from "./figures";
import { frozen, passFault, slow, swallowing, unreachable } from "./pubsubFault";

const WARM_UP_MS = 8000;
const AFTER_MS = 10_000;

describe("a replica under load, when Pub/Sub", function () {
  this.timeout(180_000);
  const ingest = useIngest();

  for (const [fault, faultMs] of [
    [unreachable, 20_000],
    [swallowing, 20_000],
    [slow, 20_000],
    [frozen, 30_000],
  ] as const) {
    it(`${fault.name}, for ${faultMs / 1000} s`, async () => {
      const run = `fault-${faultMs}-${Date.now()}`;
      printFigures(...(await passFault(ingest, fault, run, { warmUpMs: WARM_UP_MS, faultMs, afterMs: AFTER_MS })));
    });
  }
});
