/** What `setup` did about one thing. */
export interface SetupStep {
  readonly kind: "topic" | "subscription" | "dataset" | "table" | "view";
  readonly name: string;
  readonly outcome: "created" | "exists" | "updated";
  readonly detail?: string;
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
