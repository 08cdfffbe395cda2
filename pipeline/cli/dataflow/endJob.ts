import { atLeast, type Options, type OptionSpecs } from "@eventlogger/options/options";
import type { DataflowJobs, Job } from "../../runners/dataflow/dataflowJobs";
import { hasEnded, stateName, type JobState } from "../../runners/dataflow/jobState";
import { onStopSignals } from "@eventlogger/process/stopSignals";
import { INTERRUPTED } from "../exitCodes";
import { jsonOption, progressOutput, writeResult } from "../output";
import { colours } from "@eventlogger/options/terminal";
import { awaitState, chosenJob, jobDocument, jobsOf, locationOf } from "./jobLookup";
import { jobChoiceOptions } from "./jobOptions";

/** Options of `drain` and `cancel`. */
export const endJobOptions = {
  ...jobChoiceOptions,
  wait: { type: "boolean", describe: "Wait until the job has ended", default: false, group: "Job:" },
  waitLimit: {
    type: "duration",
    describe: "Maximum time to wait with --wait",
    default: 3_600_000,
    check: atLeast(1000),
    group: "Job:",
  },
  ...jsonOption,
} as const satisfies OptionSpecs;

export type EndJobOptions = Options<typeof endJobOptions>;

/** A way to end a job. */
interface End {
  /** Such as `drain`. */
  readonly verb: string;
  /** The terminal state that is requested. */
  readonly goal: JobState;
  /** States in which the request was made before. */
  readonly inProgress: readonly JobState[];
  request(jobs: DataflowJobs, id: string, signal: AbortSignal): Promise<void>;
}

/**
 * Requests the end of a job, and waits for it with --wait.
 * @returns the exit code: 1 when the job ended in another state
 */
export async function endJob(o: EndJobOptions, end: End): Promise<number> {
  const output = progressOutput(o.json);
  const { dim } = colours(output);
  const say = (text: string): void => void output.write(`${dim(text)}\n`);
  const location = locationOf(o);
  let requested = false;
  const stop = onStopSignals({
    onStop: () => say(requested ? "no longer waiting" : "stopping"),
    exitCode: INTERRUPTED,
  });
  try {
    const jobs = jobsOf(o);
    let job: Job = await chosenJob(jobs, o, stop.signal);
    const before = job.state;
    if (hasEnded(before) && before !== end.goal) {
      throw new Error(`Cannot ${end.verb} job ${job.id}: it is ${stateName(before)}`);
    }
    if (before !== end.goal && !end.inProgress.includes(before)) {
      await end.request(jobs, job.id, stop.signal);
      say(`requested to ${end.verb} job ${job.name} (${job.id})`);
    } else {
      say(`job ${job.name} (${job.id}) is already ${stateName(before)}`);
    }
    requested = true;
    job = (await jobs.get(job.id, stop.signal)) ?? job;
    if (o.wait) {
      job = await awaitState(jobs, job, {
        until: hasEnded,
        limitMs: o.waitLimit,
        signal: stop.signal,
        onState: (state) => say(stateName(state)),
      });
    }
    writeResult(o.json, jobDocument(job, location), [`job ${job.name} (${job.id}) is ${stateName(job.state)}`]);
    return o.wait && job.state !== end.goal ? 1 : 0;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    output.write(requested ? `the request to ${end.verb} the job remains in effect\n` : "nothing was requested\n");
    return INTERRUPTED;
  } finally {
    stop.dispose();
  }
}
