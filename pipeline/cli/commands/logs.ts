import { setTimeout } from "node:timers/promises";
import { onStopSignals } from "@eventlogger/process/stopSignals";
import { wholeNumber } from "@eventlogger/options/options";
import {
  IMPORTANCES,
  type DataflowJobs,
  type Importance,
  type Job,
  type JobMessage,
} from "../../runners/dataflow/dataflowJobs";
import { hasEnded, stateName } from "../../runners/dataflow/jobState";
import { defineCommand } from "./command";
import { chosenJob, jobsOf } from "../dataflow/jobLookup";
import { checkJobChoice, jobChoiceOptions } from "../dataflow/jobOptions";
import { INTERRUPTED } from "../exitCodes";
import { jsonOption, writeResult } from "../output";
import { colours } from "@eventlogger/options/terminal";

const POLL_MS = 5000;

function messageLine({ time, importance, text }: JobMessage): string {
  const { red, yellow, dim } = colours(process.stdout);
  const paint = importance === "error" ? red : importance === "warning" ? yellow : dim;
  return `${dim(time)} ${paint(importance.padEnd(8))} ${text}`;
}

async function last(messages: AsyncIterable<JobMessage>, limit: number): Promise<JobMessage[]> {
  const kept: JobMessage[] = [];
  for await (const message of messages) {
    kept.push(message);
    if (kept.length > limit) kept.shift();
  }
  return kept;
}

/** Prints new messages until the job has ended. */
async function follow(
  jobs: DataflowJobs,
  job: Job,
  shown: readonly JobMessage[],
  importance: Importance,
  signal: AbortSignal,
): Promise<void> {
  let since = shown.at(-1)?.time;
  let seen = new Set(shown.filter(({ time }) => time === since).map(({ id }) => id));
  let { state } = job;
  while (!hasEnded(state)) {
    await setTimeout(POLL_MS, undefined, { signal });
    // The state is read before the messages, so that the last messages of an ended job are not missed.
    state = (await jobs.get(job.id, signal))?.state ?? state;
    for await (const message of jobs.messages(job.id, { importance, since, signal })) {
      if (message.time === since && seen.has(message.id)) continue;
      process.stdout.write(`${messageLine(message)}\n`);
      if (message.time !== since) seen = new Set();
      since = message.time;
      seen.add(message.id);
    }
  }
  process.stdout.write(`job ${job.name} (${job.id}) is ${stateName(state)}\n`);
}

export const logsCommand = defineCommand({
  details: "The messages come from the Dataflow service. Logs of the workers are in Cloud Logging.",
  options: {
    ...jobChoiceOptions,
    limit: { type: "number", describe: "Maximum number of messages", default: 50, check: wholeNumber(1, 10_000) },
    minImportance: {
      type: "enum",
      describe: `Minimum importance of messages: ${IMPORTANCES.join(", ")}`,
      default: "basic",
      choices: IMPORTANCES,
    },
    follow: { type: "boolean", describe: "Continue with new messages until the job ends or Ctrl-C", default: false },
    ...jsonOption,
  },
  examples: [
    ["$0 logs --project my-project --region europe-west1 --job-name eventlogger", "shows the last 50 messages"],
    [
      "$0 logs --project my-project --region europe-west1 --job-name eventlogger --min-importance warning --follow",
      "follows warnings and errors",
    ],
  ],
  check: ({ follow, json, ...choice }) => [
    ...checkJobChoice(choice),
    ...(follow && json ? ["--json (JSON) cannot be combined with --follow (FOLLOW), which has no final result"] : []),
  ],
  async run(o) {
    const stop = onStopSignals({ exitCode: INTERRUPTED });
    const { signal } = stop;
    try {
      const jobs = jobsOf(o);
      const job = await chosenJob(jobs, o, signal);
      const importance = o.minImportance;
      const messages = await last(jobs.messages(job.id, { importance, signal }), o.limit);
      writeResult(o.json, { jobId: job.id, messages }, messages.map(messageLine));
      if (o.follow) await follow(jobs, job, messages, importance, signal);
      return 0;
    } catch (error) {
      if (!signal.aborted) throw error;
      return 0; // Ctrl-C is the normal end of --follow
    } finally {
      stop.dispose();
    }
  },
});
