import { useIngest } from "@eventlogger/ingest/testing/fixture";
import { slow, testPubSubFault, unreachable } from "./pubsubFault";

/** Short; `npm run test:faults` runs the long version. The limit of the recovery is for a busy machine. */
const TIMING = { warmUpMs: 1500, faultMs: 3000, afterMs: 2000, recoveryLimitMs: 60_000 };

describe("Pub/Sub faults, short", () => {
  const ingest = useIngest();

  for (const [i, fault] of [unreachable, slow].entries()) {
    it(`a replica under load loses no acknowledged event and recovers after Pub/Sub ${fault.name}`, async () => {
      await testPubSubFault(ingest, fault, `short-fault-${i}`, TIMING);
    });
  }
});
