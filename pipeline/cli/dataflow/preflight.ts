import { DataflowJobs } from "../../runners/dataflow/jobs";
import { GoogleApi } from "../../google/googleApi";
import { jobSettings, type LaunchOptions } from "./launchOptions";
import type { SubmissionRun } from "./submission";

/** Finds out before anything is built what would fail later. @throws Error with everything that was found */
export async function checkBeforeLaunch(
  o: LaunchOptions,
  run: SubmissionRun,
  _options: { readonly update: boolean },
): Promise<void> {
  const jobs = new DataflowJobs(new GoogleApi(o.project), jobSettings(o));
  const active = await jobs.findActive(o.jobName, run.signal);
  if (active) throw new Error(`A job named ${o.jobName} is there already, ${active.id}`);
}
