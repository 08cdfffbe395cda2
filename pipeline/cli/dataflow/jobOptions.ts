import { httpUrl } from "@eventlogger/gcp/gcpOptions";
import { matches, type OptionSpecs } from "@eventlogger/options/options";

/** Project and region of jobs. */
export const locationOptions = {
  project: {
    type: "string",
    describe: "Google Cloud project",
    check: matches(
      /^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/,
      "a project id: 6 to 30 lower-case letters, digits or hyphens, starting with a letter",
    ),
    group: "Google Cloud:",
  },
  region: {
    type: "string",
    describe: "Region of the job, such as europe-west1",
    check: matches(/^[a-z]+-[a-z]+\d+$/, "a region such as europe-west1"),
    group: "Google Cloud:",
  },
  dataflowEndpoint: {
    type: "string",
    describe: "URL of the Dataflow API, if not the default",
    optional: true,
    check: httpUrl,
    group: "Google Cloud:",
  },
} as const satisfies OptionSpecs;

/** A check for the name of a job. */
export const jobName = matches(
  /^[a-z]([a-z0-9-]{0,1022}[a-z0-9])?$/,
  "lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen",
);

/** Options that choose a job. */
export const jobChoiceOptions = {
  ...locationOptions,
  jobName: {
    type: "string",
    describe: "Choose the active job of this name",
    optional: true,
    check: jobName,
    group: "Job:",
  },
  jobId: {
    type: "string",
    describe: "Choose a job by its id, active or not",
    optional: true,
    check: matches(/^[\w-]{5,128}$/, "an id such as 2026-01-31_01_02_03-1234567890"),
    group: "Job:",
  },
} as const satisfies OptionSpecs;

/** Cross-field validation: exactly one of --job-name and --job-id must be set. */
export function checkJobChoice(choice: { readonly jobName?: string; readonly jobId?: string }): string[] {
  if (choice.jobName !== undefined && choice.jobId !== undefined) {
    return ["--job-name (JOB_NAME) cannot be combined with --job-id (JOB_ID)"];
  }
  return (choice.jobName ?? choice.jobId) ? [] : ["--job-name (JOB_NAME) or --job-id (JOB_ID) is required"];
}
