/**
 * Patches the pane of elements that no trigger has fired, which the SDK gives what it combines before a shuffle: the constant says
 * "first, not last, late" (0x09), where the Beam model has "first and last, of unknown timing" (0x0f).
 */
import { PaneInfoCoder } from "apache-beam/coders/standard_coders";
import { Timing } from "apache-beam/values";

/** Patch `panes`. */
export function patchPanes(): void {
  Object.assign(PaneInfoCoder.ONE_AND_ONLY_FIRING, { isFirst: true, isLast: true, timing: Timing.UNKNOWN });
}
