import type { Options, OptionSpecs } from "@eventlogger/options/options";
import type { DataflowJobs, Job } from "../../runners/dataflow/dataflowJobs";
import { hasEnded, stateName, type JobState } from "../../runners/dataflow/jobState";
import { catchInterrupt, INTERRUPTED } from "../exitCodes";
import { jsonOption, progressOutput, writeResult } from "../output";
import { colours } from "@eventlogger/options/terminal";
import { awaitState, chosenJob, jobDocument, jobsOf, locationOf } from "./jobLookup";
import { jobChoiceOptions } from "./jobOptions";

/** Options of the commands that end a job. */
export const endJobOptions = {
  ...jobChoiceOptions,
  wait: { type: "boolean", describe: "Wait until the job has ended", default: false, group: "Job:" },
  waitLimit: {
    type: "duration",
    describe: "How long it is waited at most",
    default: 3_600_000,
    check: (ms) => (ms > 0 ? undefined : "must be more than nothing"),
    group: "Job:",
  },
  ...jsonOption,
} as const satisfies OptionSpecs;

export type EndJobOptions = Options<typeof endJobOptions>;

/** How a job is ended. */
interface End {
  /** Such as `drain`. */
  readonly verb: string;
  /** The state that it ends in. */
  readonly goal: JobState;
  /** States in which it need not be asked any more. */
  readonly underWay: readonly JobState[];
  ask(jobs: DataflowJobs, id: string, signal: AbortSignal): Promise<void>;
}

/**
 * Asks a job to end in some way, and waits for that where it is wished.
 * @returns the exit code: 1 when the job ended otherwise
 */
export async function endJob(o: EndJobOptions, end: End): Promise<number> {
  const output = progressOutput(o.json);
  const { dim } = colours(output);
  const say = (text: string): void => void output.write(`${dim(text)}\n`);
  const location = locationOf(o);
  let asked = false;
  const interrupt = catchInterrupt(() => say(asked ? "no longer waiting" : "stopping"));
  try {
    const jobs = jobsOf(o);
    let job: Job = await chosenJob(jobs, o, interrupt.signal);
    const before = job.state;
    if (hasEnded(before) && before !== end.goal) {
      throw new Error(`Job ${job.id} cannot be asked to ${end.verb}: it is ${stateName(before)}`);
    }
    if (before !== end.goal && !end.underWay.includes(before)) {
      await end.ask(jobs, job.id, interrupt.signal);
      say(`asked job ${job.name} (${job.id}) to ${end.verb}`);
    } else {
      say(`job ${job.name} (${job.id}) is ${stateName(before)} already`);
    }
    asked = true;
    job = (await jobs.get(job.id, interrupt.signal)) ?? job;
    if (o.wait) {
      job = await awaitState(jobs, job, {
        until: hasEnded,
        limitMs: o.waitLimit,
        signal: interrupt.signal,
        onState: (state) => say(stateName(state)),
      });
    }
    writeResult(o.json, jobDocument(job, location), [`job ${job.name} (${job.id}) is ${stateName(job.state)}`]);
    return o.wait && job.state !== end.goal ? 1 : 0;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    output.write(asked ? `the job goes on to ${end.verb}\n` : "nothing was asked of the job\n");
    return INTERRUPTED;
  } finally {
    interrupt.end();
  }
}
