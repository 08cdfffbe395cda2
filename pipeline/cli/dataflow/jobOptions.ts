import { httpUrl } from "@eventlogger/gcp/gcpOptions";
import type { OptionSpecs } from "@eventlogger/options/options";

const rule =
  (pattern: RegExp, what: string) =>
  (value: string): string | undefined =>
    pattern.test(value) ? undefined : `must be ${what}`;

/** Where jobs run. */
export const locationOptions = {
  project: {
    type: "string",
    describe: "Google Cloud project",
    check: rule(
      /^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/,
      "a project id: 6 to 30 lower-case letters, digits or hyphens, beginning with a letter",
    ),
    group: "Google Cloud:",
  },
  region: {
    type: "string",
    describe: "Region that the job runs in, such as europe-west1",
    check: rule(/^[a-z]+-[a-z]+\d+$/, "a region such as europe-west1"),
    group: "Google Cloud:",
  },
  dataflowEndpoint: {
    type: "string",
    describe: "Another address of Dataflow's API",
    optional: true,
    check: httpUrl,
    group: "Google Cloud:",
  },
} as const satisfies OptionSpecs;

export const jobName = rule(
  /^[a-z]([a-z0-9-]{0,1022}[a-z0-9])?$/,
  "lower-case letters, digits and hyphens, beginning with a letter and not ending with a hyphen",
);

/** Which job is meant. */
export const jobChoiceOptions = {
  ...locationOptions,
  jobName: { type: "string", describe: "The active job of this name", optional: true, check: jobName, group: "Job:" },
  jobId: {
    type: "string",
    describe: "A job by its id, active or not",
    optional: true,
    check: rule(/^[\w-]{5,128}$/, "an id such as 2026-01-31_01_02_03-1234567890"),
    group: "Job:",
  },
} as const satisfies OptionSpecs;

/** Exactly one of the two ways to name a job must be used. */
export function checkJobChoice(choice: { readonly jobName?: string; readonly jobId?: string }): string[] {
  if (choice.jobName !== undefined && choice.jobId !== undefined) {
    return ["--job-name (JOB_NAME) and --job-id (JOB_ID) exclude each other"];
  }
  return (choice.jobName ?? choice.jobId) ? [] : ["--job-name (JOB_NAME) or --job-id (JOB_ID) is needed"];
}
