import type { ErrorObject } from "ajv";
import { HAS_CONTROL_CHARACTER, NOT_WELL_FORMED, type EventSchema } from "../eventSchema";
import type { FieldError } from "./fieldProblems";

/** Keeps the answer to a body full of invalid fields short. */
export const MAX_ERRORS = 20;

/** The error about a field that no event has. The field "" means the body as a whole, so the empty name is quoted. */
export function unknownFieldError(name: string, similar?: string): FieldError {
  const hint = similar === undefined ? "" : `; is ${similar} meant?`;
  return { field: name || '""', message: `is not a field of an event${hint}` };
}

function fieldError(messages: EventSchema["messages"], error: ErrorObject): FieldError {
  const params = error.params as { missingProperty?: string; additionalProperty?: string };
  if (params.missingProperty !== undefined) return { field: params.missingProperty, message: "is required" };
  if (params.additionalProperty !== undefined) return unknownFieldError(params.additionalProperty);
  const field = error.instancePath.slice(1);
  if (error.keyword === "not") return { field, message: HAS_CONTROL_CHARACTER };
  if (error.keyword === "pattern") return { field, message: NOT_WELL_FORMED };
  return { field, message: messages.get(field) ?? "must be a JSON object" };
}

/** The schema's errors, at most one per field. */
export function schemaErrors(messages: EventSchema["messages"], found: readonly ErrorObject[]): FieldError[] {
  const errors = new Map<string, FieldError>();
  for (const error of found) {
    const next = fieldError(messages, error);
    if (!errors.has(next.field)) errors.set(next.field, next);
    if (errors.size === MAX_ERRORS) break;
  }
  return [...errors.values()];
}
