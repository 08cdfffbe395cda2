/** The kind of state that a step keeps between elements. An update transfers it by the name of the step. */
export type Kept =
  /** Elements buffered for their window. */
  | "groups"
  /** State cells or timers of user code. */
  | "state"
  /** Position of a source. */
  | "position"
  /** Unknown: the service lists only the kind of the step. */
  | "maybe state";

/** A primitive step, not a composite. */
export interface Step {
  /** Full name, with the names of its composites: `CountUsers/UserLedger`. */
  readonly name: string;
  /** Undefined when the step keeps no state. */
  readonly keeps: Kept | undefined;
  /** Names of state cells and timers. */
  readonly cells: readonly string[];
  /**
   * The coders of what it keeps, as texts of `coderText`, by a name for people: `state users`, `key`, `elements`. Empty when
   * they are unknown.
   */
  readonly coders: Readonly<Record<string, string>>;
  /** Windowing of its input, such as `sessions of 30m`; undefined when unknown. */
  readonly windows: string | undefined;
}
