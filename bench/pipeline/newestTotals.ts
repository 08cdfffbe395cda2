import { existsSync, readFileSync } from "node:fs";
import type { DayVersion } from "@eventlogger/events/totals/totals";
import { totalsText } from "../traffic/expectedTotals";

/** The newest version of each day with sessions in a file of `DayVersion`s, one JSON object per line; as text. */
export function newestTotals(file: string): string {
  const versions = new Map<number, DayVersion>();
  if (existsSync(file)) {
    // The last line may not be complete yet.
    for (const line of readFileSync(file, "utf8").split("\n").slice(0, -1)) {
      const next = JSON.parse(line) as DayVersion;
      if (next.version > (versions.get(next.day)?.version ?? 0)) versions.set(next.day, next);
    }
  }
  // Other days have only changes of the weekly and monthly active persons.
  const days = [...versions.values()].filter(({ sessions }) => sessions > 0);
  return totalsText(days.sort((a, b) => a.day - b.day));
}
