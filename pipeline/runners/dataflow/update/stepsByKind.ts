import type { Job } from "../dataflowJobs";
import type { Kept, Step } from "./step";

const KEPT: Readonly<Record<string, Kept | undefined>> = {
  GROUP_BY_KEY_KIND: "groups",
  PAR_DO_KIND: "maybe state",
  READ_KIND: "position",
};

/** The steps that the service lists for a job: their names, and the state that their kinds may keep. */
export function stepsByKind(transforms: Job["transforms"]): Step[] {
  return transforms
    .filter(({ kind }) => kind !== "UNKNOWN_KIND") // composites
    .map(({ name, kind }) => ({ name, keeps: KEPT[kind], cells: [], coders: {}, windows: undefined }));
}
