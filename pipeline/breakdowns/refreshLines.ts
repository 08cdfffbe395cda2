import type { RefreshedGeneration, RefreshResult } from "@eventlogger/gcp/bigquery/breakdowns/refreshBreakdowns";

type Colour = (text: string) => string;

/** Days that are listed by their dates. */
const MAX_LISTED = 5;

function daysText(days: readonly string[]): string {
  const count = `${days.length.toLocaleString("en")} day${days.length === 1 ? "" : "s"}`;
  if (days.length === 0) return count;
  const dates = days.length > MAX_LISTED ? `${days[0]} to ${days.at(-1)}` : days.join(", ");
  return `${count} (${dates})`;
}

/** The result of `refresh` as lines for people. @param durationMs how long it took, ms */
export function refreshLines(
  { generations, bytesScanned }: RefreshResult,
  durationMs: number,
  { green, yellow, dryRun }: { readonly green: Colour; readonly yellow: Colour; readonly dryRun: boolean },
): string[] {
  if (generations.length === 0)
    return [`${yellow("nothing to refresh")}: the first start of the pipeline creates a generation`];
  const ofGeneration = ({ generation, dimensions, days, keptDays }: RefreshedGeneration): string[] => [
    `${dryRun ? yellow("would refresh") : green("refreshed")} generation ${generation}: ${daysText(days)} by ${dimensions.join(", ")}`,
    ...(keptDays.length
      ? [`${yellow("kept")} ${daysText(keptDays)}, of which rows are deleted, or will be within a day`]
      : []),
  ];
  const bytes = bytesScanned === undefined ? "not reported" : `${(bytesScanned / 1e9).toFixed(3)} GB`;
  return [...generations.flatMap(ofGeneration), `in ${(durationMs / 1000).toFixed(1)} s; bytes scanned: ${bytes}`];
}

/** The result of `refresh` for programs. @param durationMs how long it took, ms */
export function refreshDocument({ generations, bytesScanned }: RefreshResult, durationMs: number): object {
  return { generations, durationMs, bytesScanned: bytesScanned ?? null };
}
