import { tables } from "@eventlogger/gcp/bigquery/tables";

/** Shorter texts occur in any message by chance, and identify nobody. */
const MIN_LENGTH = 3;

const COLUMNS = new Set(tables.flatMap(({ columns }) => columns.map(({ name }) => name)));

/** Adds the texts and numbers in a value of JSON, also those in texts that are JSON, such as `properties`. */
function collect(value: unknown, found: Set<string>): void {
  if (typeof value === "number") found.add(String(value));
  else if (typeof value === "string") {
    found.add(value);
    found.add(JSON.stringify(value).slice(1, -1)); // as an answer in JSON quotes it
    if (/^[[{]/.test(value)) collectText(value, found);
  } else if (Array.isArray(value)) for (const entry of value) collect(entry, found);
  else if (value !== null && typeof value === "object") for (const entry of Object.values(value)) collect(entry, found);
}

function collectText(json: string, found: Set<string>): void {
  try {
    collect(JSON.parse(json), found);
  } catch {
    // Not JSON.
  }
}

/**
 * Removes the values of rows from an error message, because they may be personal data and errors are logged. BigQuery and
 * proxies quote values of the rows that they refuse. Also removes every other quoted text, which may be the beginning of a
 * value, unless it is the name of a column.
 * @param rows the JSON texts that were sent
 */
export function withoutRowValues(message: string, rows: readonly string[]): string {
  const values = new Set<string>();
  for (const row of rows) collectText(row, values);
  let text = message;
  // The longest first: a value may contain another one.
  for (const value of [...values].sort((a, b) => b.length - a.length)) {
    if (value.length >= MIN_LENGTH && text.includes(value)) text = text.replaceAll(value, "…");
  }
  return text
    .replace(/(?<!\w)(["'`])((?:(?!\1).)*)(\1|$)/gs, (quoted, quote: string, inside: string) =>
      COLUMNS.has(inside) ? quoted : `${quote}…${quote}`,
    )
    .replace(/\b(value\)?\s*[:=]\s*)[^\s…"'`][^,;)\n]*/gi, "$1…");
}
