import { matches, type OptionSpecs } from "@eventlogger/options/options";

const DATASET = /^\w{1,1024}$/;
const PUBSUB_NAME = /^[A-Za-z][\w.~+%-]{2,254}$/;

/** A check for the URL of an HTTP server. */
export function httpUrl(value: string): string | undefined {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return url?.protocol === "http:" || url?.protocol === "https:" ? undefined : "must be an http or https URL";
}

/** A check for the name of a Pub/Sub resource. */
export const pubsubName = matches(PUBSUB_NAME, "3 to 255 letters, digits or -_.~+%, starting with a letter");

/** The project of Pub/Sub and BigQuery. The standard variable PUBSUB_EMULATOR_HOST names a Pub/Sub emulator. */
export const projectOption = {
  project: { type: "string", describe: "Google Cloud project", default: "demo-project", group: "Google Cloud:" },
} as const satisfies OptionSpecs;

export const pubsubOptions = {
  topic: {
    type: "string",
    describe: "Pub/Sub topic for published events",
    default: "events",
    check: pubsubName,
    group: "Google Cloud:",
  },
  subscription: {
    type: "string",
    describe: "Pub/Sub subscription that the pipeline reads",
    default: "events-pipeline",
    check: pubsubName,
    group: "Google Cloud:",
  },
} as const satisfies OptionSpecs;

export const bigqueryOptions = {
  dataset: {
    type: "string",
    describe: "BigQuery dataset",
    default: "analytics",
    check: matches(DATASET, "letters, digits and underscores"),
    group: "Google Cloud:",
  },
  bigqueryEndpoint: {
    type: "string",
    describe: "URL of a BigQuery emulator, such as http://127.0.0.1:9050",
    optional: true,
    check: httpUrl,
    group: "Google Cloud:",
  },
} as const satisfies OptionSpecs;
