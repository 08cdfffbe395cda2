/** The name of the default zone. */
export const UTC_NAME = "UTC";

/** Parts of IANA names that have no small letter: `US/Eastern`, `Etc/GMT+5`, `Australia/NSW`. */
const CAPITALS = /^(?:US|UTC|UCT|GMT[+-]?\d*|NSW|ACT|LHI)$/;

/** `Region/City`, where each part is written as the tz database does. Intl ignores the case, but BigQuery does not. */
function hasForm(name: string): boolean {
  const parts = name.split("/");
  return (
    parts.length > 1 &&
    parts.every((part) => /^[A-Z][\w+-]*$/.test(part) && (/[a-z]/.test(part) || CAPITALS.test(part)))
  );
}

/**
 * What Intl calls a zone: one name for all names of the same rules, which depends on the engine (`Asia/Calcutta` or
 * `Asia/Kolkata`). `UTC` for UTC. Undefined when Intl does not know the zone.
 */
export function intlName(name: string): string | undefined {
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

let names: ReadonlyMap<string, string> | undefined;

/** The name in the case of the tz database; undefined when it is not a primary name. */
function inItsCase(name: string): string | undefined {
  names ??= new Map([UTC_NAME, ...Intl.supportedValuesOf("timeZone")].map((known) => [known.toLowerCase(), known]));
  return names.get(name.toLowerCase());
}

/**
 * Why a text is not the name of a time zone, as the end of a sentence; undefined when it is one. Abbreviations such as `PST` and
 * offsets such as `+02:00` are refused: the first are ambiguous, and neither has rules for daylight saving time.
 */
export function timeZoneProblem(name: string): string | undefined {
  const proper = inItsCase(name);
  if (proper === name) return undefined;
  if (proper !== undefined) return `must be written as ${proper}`;
  if (!hasForm(name)) return "must be an IANA time zone such as Europe/Berlin, or UTC";
  if (intlName(name) === undefined) {
    const version = process.versions.tz;
    return `is not in the time zone data of this Node.js${version === undefined ? "" : ` (${version})`}; use an IANA name such as Europe/Berlin, or UTC`;
  }
  return undefined;
}

/** Whether two names are names of one zone: `Asia/Kolkata` and `Asia/Calcutta`. Names that Intl does not know differ. */
export function isSameTimeZone(a: string, b: string): boolean {
  if (a === b) return true;
  const known = intlName(a);
  return known !== undefined && known === intlName(b);
}
