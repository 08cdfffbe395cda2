import { RequestError } from "../http/errors";

/** The error of a parameter with an invalid value. @param detail what is wrong, after the name of the parameter */
export function refusal(field: string, detail: string): RequestError {
  return new RequestError("INVALID_PARAMETER", { field, detail });
}

/** Maximum number of characters of a value that an error repeats. */
const SHOWN_CHARACTERS = 100;

/** The value of a parameter as an error shows it: in quotes, its beginning when it is long. */
export const shownValue = (value: string): string => JSON.stringify(value.slice(0, SHOWN_CHARACTERS));

/** The error of a parameter with a value of the wrong kind. @param expected such as `json or csv` */
export function unexpectedValue(field: string, expected: string, value: string): RequestError {
  return refusal(field, `must be ${expected}, not ${shownValue(value)}`);
}

/** @throws RequestError INVALID_PARAMETER for a parameter that is not one of `known` */
export function refuseUnknownParameters(query: URLSearchParams, known: readonly string[]): void {
  const last = known.at(-1);
  const list = known.length > 1 ? `${known.slice(0, -1).join(", ")} and ${last}` : last;
  for (const name of query.keys()) {
    if (known.includes(name)) continue;
    throw refusal(name.slice(0, 100) || '""', `is not a parameter of this path, which has ${list}`);
  }
}

/** The value of a parameter that a request may have once; undefined: it has none. @throws RequestError INVALID_PARAMETER */
export function singleParameter(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name);
  if (values.length > 1) throw refusal(name, `must be one value, not ${values.length}`);
  return values[0];
}

/** The value of a parameter that must be one of a few; undefined: the request has none. @throws RequestError INVALID_PARAMETER */
export function choiceParameter<T extends string>(
  query: URLSearchParams,
  name: string,
  choices: readonly T[],
): T | undefined {
  const value = singleParameter(query, name);
  if (value === undefined) return undefined;
  const choice = choices.find((known) => known === value);
  if (choice === undefined) throw unexpectedValue(name, choices.join(" or "), value);
  return choice;
}
