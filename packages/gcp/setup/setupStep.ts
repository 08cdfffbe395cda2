/** What `setup` did to one resource. */
export interface SetupStep {
  readonly kind: "schema" | "topic" | "subscription" | "bucket" | "dataset" | "table" | "view";
  readonly name: string;
  readonly outcome: "created" | "exists" | "updated";
  /** Settings of a new resource, or what was updated. */
  readonly detail?: string;
  /** How the resource differs from a new one where it was left unchanged. */
  readonly differences?: readonly string[];
}

/** The step for a resource that existed before. */
export function existing(
  resource: Pick<SetupStep, "kind" | "name">,
  { updated = [], differences = [] }: { updated?: readonly string[]; differences?: readonly string[] } = {},
): SetupStep {
  return {
    ...resource,
    outcome: updated.length ? "updated" : "exists",
    ...(updated.length && { detail: updated.join(", ") }),
    ...(differences.length && { differences }),
  };
}
