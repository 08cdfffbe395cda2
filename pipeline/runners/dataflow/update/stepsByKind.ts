import type { Job } from "../dataflowJobs";
import type { Kept, Step } from "./step";

const KEPT: Readonly<Record<string, Kept | undefined>> = {
  GROUP_BY_KEY_KIND: "groups",
  PAR_DO_KIND: "maybe state",
  READ_KIND: "position",
};

/** The steps of a job as far as the service knows them: their names, and what they may keep by their kind. */
export function stepsByKind(transforms: Job["transforms"]): Step[] {
  return transforms
    .filter(({ kind }) => kind !== "UNKNOWN_KIND") // made of others
    .map(({ name, kind }) => ({ name, keeps: KEPT[kind], cells: [], windows: undefined }));
}
