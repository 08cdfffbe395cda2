import { UserError } from "@eventlogger/process/main";
import { colours } from "@eventlogger/options/terminal";
import { problem } from "@eventlogger/gcp/diagnostics";
import { launchChecks, type CheckResult } from "../../runners/dataflow/preflight/checkLaunch";
import { checkSettings, settingsCheckName } from "../../runners/dataflow/preflight/recordSettings";
import { runCheck } from "../../runners/dataflow/preflight/runCheck";
import { FAILED } from "../exitCodes";
import { writeResult } from "../output";
import { readableTarget, type JobTarget } from "./jobTarget";
import type { LaunchOptions } from "./launchOptions";
import { settingsOf } from "./launchSettings";
import { requireStart } from "./lostState";
import { launchCheck, requireLaunchServices } from "./runPreflight";
import type { SubmissionRun } from "./submission";

/** Time limit of the check of the state; ms. */
const STATE_TIMEOUT_MS = 10_000;

type Status = "ok" | "warning" | "problem";

const statusOf = ({ problems, warnings }: CheckResult): Status =>
  problems.length ? "problem" : warnings.length ? "warning" : "ok";

/**
 * Runs every check of a launch, and shows a line for each. Submits nothing and writes nothing, not even the settings of a new dataset.
 * @param hasState whether the job would begin with the state of a snapshot
 * @returns the exit code: 0 when a launch would pass the checks
 */
export async function checkOnly(
  o: LaunchOptions,
  run: SubmissionRun,
  { hasState }: { readonly hasState: boolean },
): Promise<number> {
  run.say("preflight checks of a launch; nothing is submitted");
  const services = await run.stoppable(servicesCheck(o));
  const results = services.problems.length ? [services] : [services, ...(await run.stoppable(checks(o, { hasState })))];
  const isReady = results.every(({ problems }) => problems.length === 0);
  const document = {
    ready: isReady,
    checks: results.map((result) => ({ ...result, status: statusOf(result) })),
  };
  writeResult(o.json, document, resultLines(results, services.problems.length > 0));
  return isReady ? 0 : FAILED;
}

/** Whether the services can be reached at all. Every other check needs them. */
async function servicesCheck(o: LaunchOptions): Promise<CheckResult> {
  const what = "credentials and addresses of the services";
  try {
    await requireLaunchServices(o);
    return { what, problems: [], warnings: [] };
  } catch (error) {
    return { what, ...problem(error instanceof Error ? error.message : String(error)) };
  }
}

async function checks(o: LaunchOptions, { hasState }: { readonly hasState: boolean }): Promise<CheckResult[]> {
  const target = await readableTarget(o);
  const [resources, settings, state] = await Promise.all([
    launchChecks(launchCheck(o, target, { update: false })),
    checkSettings(settingsOf(o, { update: false })),
    stateCheck(o, target, { hasState }),
  ]);
  return [...resources, { what: settingsCheckName(o.dataset), ...settings }, ...state];
}

/** Whether a new job may begin. No result in a dataset without a generation, which has no numbers. */
async function stateCheck(
  o: LaunchOptions,
  target: JobTarget,
  { hasState }: { readonly hasState: boolean },
): Promise<CheckResult[]> {
  if (!target.row) return [];
  const what = `the state of generation ${target.generation}`;
  const found = await runCheck(what, { project: o.project, timeoutMs: STATE_TIMEOUT_MS }, async (signal) => {
    try {
      await requireStart(o, target, { hasState, signal });
      return { problems: [], warnings: [] };
    } catch (error) {
      if (error instanceof UserError) return problem(error.message);
      throw error;
    }
  });
  return [{ what, ...found }];
}

function resultLines(results: readonly CheckResult[], isCutShort: boolean): string[] {
  const { green, yellow, red } = colours(process.stdout);
  const paint = { ok: green, warning: yellow, problem: red };
  const lines = results.flatMap((result) => {
    const status = statusOf(result);
    const texts = [...result.problems, ...result.warnings].flatMap((text) => text.split("\n"));
    return [`${paint[status](status.padEnd(8))} ${result.what}`, ...texts.map((text) => `         ${text}`)];
  });
  const count = results.flatMap(({ problems }) => problems).length;
  const summary = count === 1 ? "1 problem: a launch would be refused" : `${count} problems: a launch would be refused`;
  return [
    ...lines,
    ...(isCutShort ? ["The other checks need this one, and were not made"] : []),
    count === 0 ? `${green("ready")}    a launch would pass these checks. Nothing was submitted` : red(summary),
  ];
}
