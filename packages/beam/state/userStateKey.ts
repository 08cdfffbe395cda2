import "../sdk";
import type { StateKey } from "apache-beam/proto/beam_fn_api";

/** One named state of a step in one window; that of all keys. */
export interface UserStates {
  readonly transformId: string;
  readonly userStateId: string;
  /** The encoded window. */
  readonly window: Uint8Array;
}

/** The key of user state, as it is in a request. A bundle may have thousands, so it is smaller than the generated type. */
export class UserStateKey implements StateKey {
  /** @param key the encoded key */
  constructor(
    readonly states: UserStates,
    readonly key: Uint8Array,
  ) {}

  get type(): StateKey["type"] {
    const { states, key } = this;
    return { oneofKind: "bagUserState", bagUserState: { ...states, key } };
  }
}
