import "@eventlogger/beam/sdk";
import { count, jsonCoder, valueState } from "@eventlogger/beam";
import type { CellsOf, StateDeclaration, StatefulDoFn, ValueCell } from "@eventlogger/beam";
import type { RollupVersionRow } from "@eventlogger/gcp/bigquery/tables";
import { dayToIso } from "@eventlogger/events/day";
import { addDeltas, nextVersion, type DayTotals as Totals } from "@eventlogger/events/totals/totals";
import { decodeDelta } from "../encoding";
import { registerModule } from "@eventlogger/beam/registerModule";

type States = { totals: StateDeclaration<ValueCell<Totals>> };

/** Keeps the running totals of each day and gives out one absolute row for each day and bundle, as a new version. */
export class DayTotals implements StatefulDoFn<string, RollupVersionRow, States> {
  states(): States {
    return { totals: valueState(jsonCoder<Totals>()) };
  }

  process(key: string, value: string, { totals }: CellsOf<States>): void {
    const delta = decodeDelta(Number(key), value);
    const known = totals.read();
    totals.write({ ...(known ? addDeltas(known, delta) : delta), version: known?.version ?? 0 });
  }

  *finishKey(_key: string, { totals }: CellsOf<States>): Iterable<RollupVersionRow> {
    const known = totals.read();
    if (!known) return;
    const now = Date.now();
    const current = { ...known, version: nextVersion(known.version, now) };
    totals.write(current);
    count("rollupVersions");
    yield {
      date: dayToIso(current.day),
      version: current.version,
      session_count: current.sessions,
      session_duration_ms: current.durationMs,
      active_user_count: current.activeUsers,
      new_user_count: current.newUsers,
      updated_at: new Date(now).toISOString(),
    };
  }
}

registerModule(module);
