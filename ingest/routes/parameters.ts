import { RequestError } from "../http/errors";

/** The error of a parameter with an invalid value. @param detail what is wrong, after the name of the parameter */
export function refusal(field: string, detail: string): RequestError {
  return new RequestError("INVALID_PARAMETER", { field, detail });
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
