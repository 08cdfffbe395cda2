import { bigqueryOptions, projectOption, pubsubName, pubsubOptions } from "@eventlogger/gcp/gcpOptions";
import { between, wholeNumber, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { serviceAgentNote, type PubSubSetup } from "@eventlogger/gcp/pubsub/setup/setUpPubSub";
import { parseGsUrl } from "@eventlogger/gcp/storage/client";
import { setUpResources } from "@eventlogger/gcp/setup/setUpResources";
import type { SetupStep } from "@eventlogger/gcp/setup/setupStep";
import { MAX_RETENTION_DAYS, MIN_RETENTION_DAYS, parseRetention } from "@eventlogger/gcp/bigquery/setup/setUpRetention";
import { defineCommand } from "./command";
import { jsonOption, progressOutput, writeResult } from "../output";
import { isPubSubEmulated as onEmulator, mixedOption, requireServices, serviceProblems } from "../services";
import { colours, type Output } from "@eventlogger/options/terminal";

const DAY_MS = 86_400_000;

/** Option value for "no such resource". */
const NONE = "none";

const nameOrNone = (value: string): string | undefined => (value === NONE ? undefined : pubsubName(value));

/** The schedules that people write for a refresh; the service knows more. */
function scheduleProblem(text: string): string | undefined {
  const [, count, unit] = /^every (\d{1,3}) (minutes|hours)$/.exec(text) ?? [];
  if (unit === "hours" && Number(count) >= 1) return undefined;
  if (unit === "minutes" && Number(count) >= 5) return undefined;
  return 'must be a schedule such as "every 10 minutes" or "every 1 hours", of at least 5 minutes';
}

const options = {
  ...projectOption,
  ...pubsubOptions,
  schema: {
    type: "string",
    describe: "Avro schema of the topic; none accepts any message. Default: the name of the topic",
    optional: true,
    check: nameOrNone,
    group: "Pub/Sub:",
  },
  deadLetterTopic: {
    type: "string",
    describe: "Dead-letter topic, or none. Default: <topic>-dead-letters; none on an emulator",
    optional: true,
    check: nameOrNone,
    group: "Pub/Sub:",
  },
  maxDeliveryAttempts: {
    type: "number",
    describe: "Number of deliveries after which a message goes to the dead-letter topic",
    default: 100,
    check: wholeNumber(5, 100),
    group: "Pub/Sub:",
  },
  messageRetention: {
    type: "duration",
    describe: "How long the subscriptions retain unacknowledged messages",
    default: 7 * DAY_MS,
    check: between(600_000, 31 * DAY_MS),
    group: "Pub/Sub:",
  },
  ...bigqueryOptions,
  ...mixedOption,
  eventRetention: {
    type: "string",
    describe:
      "Delete rows of the table events this many days after they were received; none keeps them. Default: unchanged. " +
      "Deleted rows cannot be used for a rebuild",
    optional: true,
    check: (text) =>
      parseRetention(text) === undefined
        ? `must be none, or a whole number of days from ${MIN_RETENTION_DAYS} to ${MAX_RETENTION_DAYS}`
        : undefined,
    group: "Google Cloud:",
  },
  location: {
    type: "string",
    describe: "Location of a new dataset and a new bucket, such as EU or us-central1",
    optional: true,
    group: "Google Cloud:",
  },
  bucket: {
    type: "string",
    describe: "Bucket for files of Dataflow jobs, such as gs://my-project-eventlogger. Default: no bucket",
    optional: true,
    check: (url) => (parseGsUrl(url)?.name === "" ? undefined : "must be the URL of a bucket such as gs://my-bucket"),
    group: "Google Cloud:",
  },
  refresh: {
    type: "string",
    describe:
      "Schedule of a scheduled query that does what `eventlogger refresh` does, such as every 10 minutes; at least 5 minutes. Default: none is made",
    optional: true,
    check: scheduleProblem,
    group: "Google Cloud:",
  },
  transferEndpoint: {
    type: "string",
    describe: "URL that replaces Google's Data Transfer API, which runs scheduled queries",
    optional: true,
    check: (url) => (URL.canParse(url) ? undefined : "must be a URL"),
    group: "Google Cloud:",
  },
  updateExisting: {
    type: "boolean",
    describe: "Update existing resources that differ. By default, differences are only reported",
    default: false,
  },
  ...jsonOption,
} as const satisfies OptionSpecs;

type Values = Options<typeof options>;

/** On an emulator there is no dead-letter topic by default, because nobody inspects it. */
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
  const problems = serviceProblems({ project, bigqueryEndpoint: o.bigqueryEndpoint, mixed: o.mixed });
  const retention = o.eventRetention === undefined ? undefined : parseRetention(o.eventRetention);
  if (typeof retention === "number" && retention * DAY_MS < (o.messageRetention ?? 0)) {
    problems.push(
      `--event-retention (EVENT_RETENTION) ${retention} is shorter than --message-retention (MESSAGE_RETENTION), so the row of a ` +
        "message that waits longer would be deleted as soon as it is written",
    );
  }
  if (o.refresh !== undefined && o.bigqueryEndpoint !== undefined && o.transferEndpoint === undefined) {
    problems.push(
      "--refresh (REFRESH) needs Google's BigQuery: no emulator has scheduled queries. Run `eventlogger refresh --every 10m` instead",
    );
  }
  if (topic === undefined) return problems;
  const deadLetters = deadLetterTopic({ topic, deadLetterTopic: o.deadLetterTopic });
  if (deadLetters === topic) {
    problems.push("--dead-letter-topic (DEAD_LETTER_TOPIC) must differ from --topic (TOPIC)");
  }
  if (deadLetters === subscription) {
    problems.push(
      "--dead-letter-topic (DEAD_LETTER_TOPIC) gets a subscription of the same name, so it must differ from " +
        "--subscription (SUBSCRIPTION)",
    );
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
  details:
    "Safe to repeat: existing resources and their data are kept. Columns and schema revisions that an earlier release " +
    "lacked are added. Other differences are reported, and updated only with --update-existing.",
  options,
  examples: [
    ["$0 setup --project my-project --location EU --bucket gs://my-bucket", "creates all resources with default names"],
    [
      "$0 setup --project my-project --event-retention 400",
      "also deletes raw events 400 days after they were received",
    ],
    ["$0 setup --project my-project --update-existing", "also binds a topic of an earlier release to the schema"],
    [
      '$0 setup --project my-project --refresh "every 10 minutes"',
      "also makes a scheduled query that computes the breakdowns",
    ],
    [
      "PUBSUB_EMULATOR_HOST=127.0.0.1:8085 $0 setup --bigquery-endpoint http://127.0.0.1:9050",
      "uses emulators on this machine",
    ],
  ],
  check: contradictions,
  async run(o) {
    const names = pubsubSetup(o);
    const bucket = o.bucket === undefined ? undefined : parseGsUrl(o.bucket)?.bucket;
    const withoutBucket = bucket !== undefined && onEmulator() && !process.env.STORAGE_EMULATOR_HOST;
    const steps: SetupStep[] = [];
    const output = progressOutput(o.json);
    const usesStorage = bucket !== undefined && !withoutBucket;
    await requireServices({ ...o, pubsub: true, bigquery: { endpoint: o.bigqueryEndpoint }, storage: usesStorage });
    const eventRetention = o.eventRetention === undefined ? undefined : parseRetention(o.eventRetention);
    await setUpResources({ ...o, ...names, eventRetention, bucket: withoutBucket ? undefined : bucket }, (step) => {
      steps.push(step);
      output.write(`${stepLine(step, output)}\n`);
    });
    const notes: string[] = [];
    if (!o.updateExisting && steps.some((step) => step.differences)) {
      notes.push(
        "Resources that differ were left unchanged. Update them with --update-existing, where that is possible",
      );
    }
    if (withoutBucket)
      notes.push(
        `${o.bucket} was skipped: with a Pub/Sub emulator, a bucket also needs a Storage emulator (STORAGE_EMULATOR_HOST)`,
      );
    const grants = onEmulator() ? undefined : serviceAgentNote(o.project, names);
    if (grants !== undefined) notes.push(grants);
    for (const note of notes) output.write(`\n${note}\n`);
    writeResult(o.json, { steps, notes }, []);
    return 0;
  },
});
