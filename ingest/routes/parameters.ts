import { RequestError } from "../http/errors";

/** The error of a parameter with an invalid value. @param detail what is wrong, after the name of the parameter */
export function parameterRefusal(name: string, detail: string): RequestError {
  return new RequestError("INVALID_PARAMETER", { field: name, detail });
}

/** `a, b and c`. */
const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;

/** @throws RequestError INVALID_PARAMETER when a query has a parameter with another name */
export function refuseOtherParameters(query: URLSearchParams, names: readonly string[]): void {
  for (const name of query.keys()) {
    if (names.includes(name)) continue;
    throw parameterRefusal(name.slice(0, 100) || '""', `is not a parameter of this path, which has ${listed(names)}`);
  }
}

/** The value of a parameter; undefined without it. @throws RequestError INVALID_PARAMETER when it is given more than once */
export function singleValue(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name);
  if (values.length > 1) throw parameterRefusal(name, `must be given once, not ${values.length} times`);
  return values[0];
}
