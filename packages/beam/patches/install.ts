import { patchAccessToken } from "./accessToken";
import { patchCoders } from "./coders";
import { patchControl } from "./control";
import { patchDataChannel } from "./dataChannel";
import { patchDataSink } from "./dataSink";
import { patchExternalTransforms } from "./externalTransforms";
import { patchMessageSize } from "./messageSize";
import { patchMetrics } from "./metrics";
import { patchPanes } from "./panes";
import { patchRowCoder } from "./rowCoder";
import { patchSideInputs } from "./sideInputs";
import { patchWindows } from "./windows";
import { patchStateChannel } from "./stateChannel";
import { patchStateRequests } from "./stateRequests";

/** Every patch by name, in the order of installation. Tests leave one out to show what it fixes. */
export const PATCHES: Readonly<Record<string, () => void>> = {
  messageSize: patchMessageSize,
  coders: patchCoders,
  rowCoder: patchRowCoder,
  windows: patchWindows,
  dataChannel: patchDataChannel,
  dataSink: patchDataSink,
  stateChannel: patchStateChannel,
  metrics: patchMetrics,
  control: patchControl,
  sideInputs: patchSideInputs,
  panes: patchPanes,
  externalTransforms: patchExternalTransforms,
  accessToken: patchAccessToken,
  stateRequests: patchStateRequests,
};

const installed = new Set<string>();

/**
 * Installs the patches, once per process. The environment variable `BEAM_PATCHES_OFF` (names separated by commas) leaves
 * patches out; it is for tests only.
 */
export function installPatches(): void {
  const off = new Set((process.env["BEAM_PATCHES_OFF"] ?? "").split(","));
  for (const [name, patch] of Object.entries(PATCHES)) {
    if (off.has(name) || installed.has(name)) continue;
    installed.add(name);
    patch();
  }
}
