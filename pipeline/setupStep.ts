/** What `setup` did about one thing. */
export interface SetupStep {
  readonly kind: "topic" | "subscription" | "dataset" | "table" | "view";
  readonly name: string;
  readonly outcome: "created" | "exists" | "updated";
  readonly detail?: string;
}
