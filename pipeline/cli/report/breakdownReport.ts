import type { Breakdown, OtherValues } from "@eventlogger/gcp/bigquery/breakdowns/breakdown";
import { breakdownTable, OTHER } from "@eventlogger/gcp/bigquery/statistics/breakdownTable";
import { grouped, printable } from "@eventlogger/options/terminal";
import { alignedLines, charactersOf, widthOf, type Alignment } from "../textTable";
import { bar } from "./charts";
import type { Paint, Report } from "./report";

/** Maximum length of a value in a line, characters. */
const MAX_VALUE = 40;
const MIN_BAR = 5;
const MAX_BAR = 30;
const UNKNOWN = "-";

function shortened(value: string): string {
  const characters = charactersOf(printable(value));
  return characters.length > MAX_VALUE ? `${characters.slice(0, MAX_VALUE - 1).join("")}…` : characters.join("");
}

const count = (n: number | null): string => (n === null ? UNKNOWN : grouped(n));

/** The numbers of a row: of one value, or of all that are not listed. */
type RowNumbers = Omit<OtherValues, "value_count">;

/** The lines of the values and the others, each with a bar where there is room. */
function valueLines({ dimension, range, totals, values, other }: Breakdown, width: number): string[] {
  const persons = range.from === range.to ? "persons" : "person days";
  const named: { readonly name: string; readonly numbers: RowNumbers }[] = values.map((numbers) => ({
    name: shortened(numbers.value),
    numbers,
  }));
  if (other.value_count > 0) named.push({ name: `${OTHER}: ${grouped(other.value_count)} values`, numbers: other });
  const cells = named.map(({ name, numbers: { events, sessions, person_days } }) => {
    const share = totals.events === 0 ? 0 : (events / totals.events) * 100;
    return [name, grouped(events), `${share.toFixed(1)} %`, count(sessions), count(person_days)];
  });
  const headings = [dimension, "events", "share", "sessions", persons];
  const alignments: readonly Alignment[] = headings.map((_, column) => (column === 0 ? "left" : "right"));
  const lines = alignedLines([headings, ...cells], alignments);
  const room = Math.min(MAX_BAR, width - 2 - Math.max(...lines.map(widthOf)));
  if (room < MIN_BAR) return lines;
  const largest = Math.max(1, ...named.map(({ numbers }) => numbers.events));
  return lines.map((line, i) => {
    const row = named[i - 1];
    return row === undefined ? line : `${line}  ${bar(row.numbers.events / largest, room)}`;
  });
}

/** The report of the values of a dimension with most events in a range of days. */
export function breakdownReport(breakdown: Breakdown, paint: Paint): Report {
  const { dimension, range, totals, values, other, refreshedAt, dimensions, definitions } = breakdown;
  const isOneDay = range.from === range.to;
  return {
    document: {
      ...{ generation: definitions?.generation ?? null, time_zone: definitions?.timeZone ?? null },
      ...{ refreshed_at: refreshedAt, dimension, dimensions, from: range.from, to: range.to, totals, values, other },
    },
    table: breakdownTable(breakdown),
    lines: (width) => {
      const [headings = "", ...rows] = valueLines(breakdown, width);
      const sums = [`${grouped(totals.events)} events`, `${grouped(totals.sessions)} sessions`];
      return [
        paint.bold(`${dimension}, ${isOneDay ? range.from : `${range.from} to ${range.to}`}`) +
          paint.dim(`  days of ${definitions?.timeZone}, generation ${definitions?.generation}`),
        ...["", paint.bold(headings), ...rows, ""],
        `${sums.join(", ")} and ${grouped(totals.person_days)} ${isOneDay ? "persons" : "person days"} in all.`,
        paint.dim(`Refreshed at ${refreshedAt?.slice(0, 19)}Z.`),
      ];
    },
  };
}
