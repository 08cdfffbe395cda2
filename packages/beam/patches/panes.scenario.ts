import "../sdk";
import { PaneInfoCoder } from "apache-beam/coders/standard_coders";
import { encode } from "../testing/codec";
import type { Scenarios } from "../testing/scenario";

export const scenarios = {
  /** The encoding of the pane that the SDK gives new elements. */
  async onlyFiring() {
    return [...encode(PaneInfoCoder.INSTANCE, [PaneInfoCoder.ONE_AND_ONLY_FIRING])];
  },
} satisfies Scenarios;
