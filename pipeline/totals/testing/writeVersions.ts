/**
 * A worker process that computes versions of one day: `writeVersions.js BUNDLES STATE CLOCK_OFFSET_MS RESTORES`. Prints the
 * versions as JSON; see dayTotals.test.ts.
 */
import { loadCell, StoredState, storedRecords } from "../../testing/statefulRun";
import type { DayVersion } from "@eventlogger/events/totals/totals";
import { DayTotals } from "../dayTotals";

async function main([bundles, state = "", clockOffsetMs, restores]: readonly string[]): Promise<void> {
  const now = Date.now;
  Date.now = () => now() + Number(clockOffsetMs);
  const initial = state ? storedRecords(state) : new Uint8Array();
  const stored = new StoredState();
  stored.bytes = initial;
  const versions: DayVersion[] = [];
  for (let i = 0; i < Number(bundles); i++) {
    // A new instance, as after a restore.
    const doFn = new DayTotals(1);
    const totals = loadCell(doFn.states().totals, restores === "true" ? initial : stored.bytes);
    doFn.process("20484", "[1,0,0,0,0,0,0,0,0]", { totals });
    versions.push(...doFn.finishKey("20484", { totals }));
    await stored.save(totals);
  }
  console.log(JSON.stringify(versions));
}

void main(process.argv.slice(2));
