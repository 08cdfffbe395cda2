/** What `setup` did to one resource. */
export interface SetupStep {
  readonly kind: "schema" | "topic" | "subscription" | "bucket" | "dataset" | "table" | "view" | "scheduled query";
  readonly name: string;
  readonly outcome: "created" | "exists" | "updated";
  /** Settings of a resource, or what was updated. */
  readonly detail?: string;
  /** How the resource differs from a new one where it was left unchanged. */
  readonly differences?: readonly string[];
}

/** The step for a resource that existed before. */
export function existing(
  resource: Pick<SetupStep, "kind" | "name">,
  {
    updated = [],
    differences = [],
    detail,
  }: { updated?: readonly string[]; differences?: readonly string[]; detail?: string | undefined } = {},
): SetupStep {
  const details = [...updated, ...(detail === undefined ? [] : [detail])];
  return {
    ...resource,
    outcome: updated.length ? "updated" : "exists",
    ...(details.length && { detail: details.join(", ") }),
    ...(differences.length && { differences }),
  };
}
