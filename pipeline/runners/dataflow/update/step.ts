/** What a step keeps between elements, which an update takes over by the step's name. */
export type Kept =
  /** Elements that wait for their window. */
  | "groups"
  /** Cells or timers of user code. */
  | "state"
  /** How far a source has been read. */
  | "position"
  /** Not known: the service tells only the kind of the step. */
  | "maybe state";

/** A step that does something itself, not one that is made of others. */
export interface Step {
  /** With the names of the steps it is part of: `CountUsers/UserLedger`. */
  readonly name: string;
  /** Undefined when it keeps nothing. */
  readonly keeps: Kept | undefined;
  /** Names of cells and timers. */
  readonly cells: readonly string[];
  /** Windows of its input, such as `sessions of 30m`; undefined when they are not known. */
  readonly windows: string | undefined;
}
