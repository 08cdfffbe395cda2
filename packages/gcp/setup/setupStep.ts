/** What `setup` did about one thing. */
export interface SetupStep {
  readonly kind: "schema" | "topic" | "subscription" | "bucket" | "dataset" | "table" | "view";
  readonly name: string;
  readonly outcome: "created" | "exists" | "updated";
  /** What was updated. */
  readonly detail?: string;
  /** What is not as it would be made now, and was left as it is. */
  readonly differences?: readonly string[];
}

/** A step about something that was there. */
export function existing(
  thing: Pick<SetupStep, "kind" | "name">,
  { updated = [], differences = [] }: { updated?: readonly string[]; differences?: readonly string[] } = {},
): SetupStep {
  return {
    ...thing,
    outcome: updated.length ? "updated" : "exists",
    ...(updated.length && { detail: updated.join(", ") }),
    ...(differences.length && { differences }),
  };
}

/**
 * Makes something that may be there already, maybe since a moment ago and made by somebody else.
 * @param alreadyExists the error code by which the service says so
 */
export async function createUnlessThere(
  make: () => Promise<unknown>,
  alreadyExists: number,
): Promise<"created" | "exists"> {
  try {
    await make();
    return "created";
  } catch (error) {
    if ((error as { code?: unknown }).code === alreadyExists) return "exists";
    throw error;
  }
}
