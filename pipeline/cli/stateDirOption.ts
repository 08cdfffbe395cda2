import type { OptionSpecs } from "@eventlogger/options/options";
import { grouped } from "@eventlogger/options/terminal";

/** The option of the commands for the state of a run on Flink. */
export const stateDirOption = {
  stateDir: {
    type: "string",
    describe:
      "Folder with the state of the run: its --state-dir, or the folder generation-N in it for a later generation",
    default: ".eventlogger",
    group: "Snapshot:",
  },
} as const satisfies OptionSpecs;

const MIB = 1 << 20;

/** A line of progress: `copied 512 of 2,048 MiB (25 %), 128 MiB/s`. @param startedAt monotonic, ms */
export function copyProgress(
  what: string,
  { done, total }: { readonly done: number; readonly total: number },
  startedAt: number,
): string {
  const seconds = (performance.now() - startedAt) / 1000;
  const percent = total === 0 ? 100 : Math.floor((100 * done) / total);
  const rate = seconds > 0 ? done / MIB / seconds : 0;
  return `${what} ${grouped(done / MIB)} of ${grouped(total / MIB)} MiB (${percent} %), ${grouped(rate)} MiB/s`;
}
