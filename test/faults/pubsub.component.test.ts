import { useIngest } from "@eventlogger/ingest/testing/fixture";
import { passFault, slow, unreachable } from "./pubsubFault";

/** Short; `npm run test:faults` does it at length. */
const TIMING = { warmUpMs: 1500, faultMs: 3000, afterMs: 4000 };

describe("a replica under load loses nothing that it promised to keep, and comes back, when Pub/Sub", function () {
  this.timeout(60_000);
  const ingest = useIngest();

  for (const [i, fault] of [unreachable, slow].entries()) {
    it(fault.name, async () => {
      await passFault(ingest, fault, `short-fault-${i}`, TIMING);
    });
  }
});
