import type { OptionSpecs } from "@eventlogger/options/options";

const DATASET = /^\w{1,1024}$/;
const PUBSUB_NAME = /^[A-Za-z][\w.~+%-]{2,254}$/;

function matches(pattern: RegExp, rule: string): (value: string) => string | undefined {
  return (value) => (pattern.test(value) ? undefined : `must be ${rule}`);
}

/** For options that name an HTTP server. */
export function httpUrl(value: string): string | undefined {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return url?.protocol === "http:" || url?.protocol === "https:" ? undefined : "must be an http or https URL";
}

/** For options that name something on Pub/Sub. */
export const pubsubName = matches(PUBSUB_NAME, "3 to 255 letters, digits or -_.~+%, beginning with a letter");

/** Where Pub/Sub and BigQuery are; a Pub/Sub emulator is named by PUBSUB_EMULATOR_HOST, as everywhere. */
export const projectOption = {
  project: { type: "string", describe: "Google Cloud project", default: "demo-project", group: "Google Cloud:" },
} as const satisfies OptionSpecs;

export const pubsubOptions = {
  topic: {
    type: "string",
    describe: "Topic that events are published to",
    default: "events",
    check: pubsubName,
    group: "Google Cloud:",
  },
  subscription: {
    type: "string",
    describe: "Subscription that the pipeline reads",
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
    describe: "A BigQuery emulator, such as http://127.0.0.1:9050",
    optional: true,
    check: httpUrl,
    group: "Google Cloud:",
  },
} as const satisfies OptionSpecs;
