/** Generations of the numbers, in the table `generations`. Each function has a file of its own in the folder of this name. */
export {
  countsPersons,
  FIRST_GENERATION,
  GENERATION_STATUSES,
  isRunning,
  PERSONS_STATE_FORMAT,
  countsBots,
  timeZoneOf,
  type Generation,
  type GenerationJob,
  type GenerationResources,
  type GenerationSettings,
  type GenerationStatus,
  type LeaseHolder,
  type StateLabels,
} from "./generations/generation";
export {
  createGeneration,
  GenerationExistsError,
  recordGeneration,
  type NewGeneration,
} from "./generations/createGeneration";
export { readActiveGeneration, readGeneration, readGenerations } from "./generations/readGenerations";
export { recordJob, recordRebuild, recordResources, replaceGenerationSettings } from "./generations/recordProgress";
export { GenerationSettingsError, requireGenerationSettings } from "./generations/requireSettings";
export { changeGenerations, generationsReference, queryGenerations } from "./generations/statements";
export {
  activateGeneration,
  GenerationTransitionError,
  retireGeneration,
  type ActivateOptions,
} from "./generations/transitions";
