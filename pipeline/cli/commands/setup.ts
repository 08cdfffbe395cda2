import { bigqueryOptions, projectOption, pubsubName, pubsubOptions } from "@eventlogger/gcp/gcpOptions";
import { wholeNumber, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { serviceAgentNote, type PubSubSetup } from "@eventlogger/gcp/pubsub/setup/setUpPubSub";
import { parseGsUrl } from "@eventlogger/gcp/storage/client";
import { setUp } from "@eventlogger/gcp/setup/setUpResources";
import type { SetupStep } from "@eventlogger/gcp/setup/setupStep";
import { defineCommand } from "./command";
import { jsonOption, progressOutput, writeResult } from "../output";
import { colours, type Output } from "@eventlogger/options/terminal";

const DAY_MS = 86_400_000;

/** Stands for "do without". */
const NONE = "none";

const nameOrNone = (value: string): string | undefined => (value === NONE ? undefined : pubsubName(value));

const options = {
  ...projectOption,
  ...pubsubOptions,
  schema: {
    type: "string",
    describe: "Avro schema that the topic enforces; default: the topic's name; none: any message is taken",
    optional: true,
    check: nameOrNone,
    group: "Pub/Sub:",
  },
  deadLetterTopic: {
    type: "string",
    describe: "For messages delivered too often; default: <topic>-dead-letters, on an emulator none; none: do without",
    optional: true,
    check: nameOrNone,
    group: "Pub/Sub:",
  },
  maxDeliveryAttempts: {
    type: "number",
    describe: "Deliveries after which a message goes to the dead-letter topic",
    default: 100,
    check: wholeNumber(5, 100),
    group: "Pub/Sub:",
  },
  messageRetention: {
    type: "duration",
    describe: "How long the subscriptions keep what is not acknowledged",
    default: 7 * DAY_MS,
    check: (ms) => (ms >= 600_000 && ms <= 31 * DAY_MS ? undefined : "must be from 10m to 31d"),
    group: "Pub/Sub:",
  },
  ...bigqueryOptions,
  location: {
    type: "string",
    describe: "Where a new dataset and a new bucket are kept, such as EU or us-central1",
    optional: true,
    group: "Google Cloud:",
  },
  bucket: {
    type: "string",
    describe: "Bucket for the files of Dataflow jobs, such as gs://my-project-eventlogger; default: none is made",
    optional: true,
    check: (url) => (parseGsUrl(url)?.name === "" ? undefined : "must be gs:// and the name of a bucket"),
    group: "Google Cloud:",
  },
  updateExisting: {
    type: "boolean",
    describe: "Change what is there and differs; without it, that is only said",
    default: false,
  },
  ...jsonOption,
} as const satisfies OptionSpecs;

const onEmulator = (): boolean => Boolean(process.env.PUBSUB_EMULATOR_HOST);

type Values = Options<typeof options>;

/** An emulator forgets everything when it stops, and nobody looks at what was left over. */
function deadLetterTopic(o: Pick<Values, "topic" | "deadLetterTopic">): string {
  return o.deadLetterTopic ?? (onEmulator() ? NONE : `${o.topic}-dead-letters`);
}

function pubsubSetup(o: Values): PubSubSetup {
  const wanted = (name: string): string | undefined => (name === NONE ? undefined : name);
  return {
    ...o,
    schema: wanted(o.schema ?? o.topic),
    deadLetterTopic: wanted(deadLetterTopic(o)),
    retentionMs: o.messageRetention,
  };
}

function contradictions({ project, topic, subscription, ...o }: Partial<Values>): string[] {
  const problems: string[] = [];
  if (project === options.project.default && !onEmulator()) {
    problems.push(`--project (PROJECT) is required: ${project} is for emulators`);
  }
  if (topic === undefined) return problems;
  const deadLetters = deadLetterTopic({ topic, deadLetterTopic: o.deadLetterTopic });
  if (deadLetters === topic) {
    problems.push("--dead-letter-topic (DEAD_LETTER_TOPIC) must be another topic than --topic");
  }
  if (deadLetters === subscription) {
    problems.push("--dead-letter-topic (DEAD_LETTER_TOPIC) gets a subscription of its own name: choose another one");
  }
  return problems;
}

function stepLine(step: SetupStep, output: Output): string {
  const { green, yellow, dim } = colours(output);
  const paint = { created: green, updated: yellow, exists: dim };
  const detail = step.detail ? ` (${step.detail})` : "";
  const differences = step.differences ? ` ${yellow(`(differs: ${step.differences.join("; ")})`)}` : "";
  return `${paint[step.outcome](step.outcome.padEnd(7))} ${step.kind} ${step.name}${detail}${differences}`;
}

export const setupCommand = defineCommand({
  name: "setup",
  summary: "Make schema, topics, subscriptions, dataset, tables, views and bucket",
  details:
    "Safe to repeat: what is there stays, with its data. Columns and revisions of the schema that an earlier\n" +
    "release lacked are added. What else differs is said, and changed only with --update-existing.",
  options,
  examples: [
    ["$0 setup --project my-project --location EU --bucket gs://my-bucket", "everything, under its default names"],
    ["$0 setup --project my-project --update-existing", "also bind a topic of an earlier release to the schema"],
    [
      "PUBSUB_EMULATOR_HOST=127.0.0.1:8085 $0 setup --bigquery-endpoint http://127.0.0.1:9050",
      "on emulators on this machine",
    ],
  ],
  check: contradictions,
  async run(o) {
    const names = pubsubSetup(o);
    const bucket = o.bucket === undefined ? undefined : parseGsUrl(o.bucket)?.bucket;
    const withoutBucket = bucket !== undefined && onEmulator() && !process.env.STORAGE_EMULATOR_HOST;
    const steps: SetupStep[] = [];
    const output = progressOutput(o.json);
    await setUp({ ...o, ...names, bucket: withoutBucket ? undefined : bucket }, (step) => {
      steps.push(step);
      output.write(`${stepLine(step, output)}\n`);
    });
    const notes: string[] = [];
    if (!o.updateExisting && steps.some((step) => step.differences)) {
      notes.push("What differs was left as it is. --update-existing changes what can be changed");
    }
    if (withoutBucket)
      notes.push(`${o.bucket} was left out: with emulators, STORAGE_EMULATOR_HOST must name one for it`);
    const grants = onEmulator() ? undefined : serviceAgentNote(o.project, names);
    if (grants !== undefined) notes.push(grants);
    for (const note of notes) output.write(`\n${note}\n`);
    writeResult(o.json, { steps, notes }, []);
    return 0;
  },
});
