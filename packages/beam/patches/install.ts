import { repairCoders } from "./coders";
import { repairControl } from "./control";
import { repairDataChannel } from "./dataChannel";
import { repairDataSink } from "./dataSink";
import { repairExternalTransforms } from "./externalTransforms";
import { liftMessageSizeLimit } from "./messageSize";
import { repairRowCoder } from "./rowCoder";

/** Every repair by name, in the order they are applied. Tests apply all but one to show what each is for. */
export const REPAIRS: Readonly<Record<string, () => void>> = {
  messageSize: liftMessageSizeLimit,
  coders: repairCoders,
  rowCoder: repairRowCoder,
  dataChannel: repairDataChannel,
  dataSink: repairDataSink,
  control: repairControl,
  externalTransforms: repairExternalTransforms,
};

const installed = new Set<string>();

/** Applies the repairs once per process. `BEAM_REPAIRS_OFF` (names, comma separated) leaves some out: for tests only. */
export function installRepairs(): void {
  const off = new Set((process.env["BEAM_REPAIRS_OFF"] ?? "").split(","));
  for (const [name, repair] of Object.entries(REPAIRS)) {
    if (off.has(name) || installed.has(name)) continue;
    installed.add(name);
    repair();
  }
}
