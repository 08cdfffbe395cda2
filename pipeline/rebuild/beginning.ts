import { isRunning, type Generation } from "@eventlogger/gcp/bigquery/generations";
import { horizonLines } from "@eventlogger/gcp/bigquery/retention/horizon";
import { UserError } from "@eventlogger/process/main";
import type { RebuildDriver } from "./driver";
import type { EventRows } from "./services";

/** Rows of `events` are deleted, so that the new numbers would not be exact. Nothing was changed. */
export class RowsDeletedError extends UserError {
  constructor(lines: readonly string[]) {
    super(
      `${lines.join("\n  ")}\nReaders would see these numbers instead of the present ones. To rebuild nevertheless: --accept-deleted-rows`,
    );
    this.name = "RowsDeletedError";
  }
}

/** The runner of the command cannot tell what computes the active generation, or its job is not in the state that the command needs. */
export class ActiveJobError extends UserError {
  constructor(message: string) {
    super(message);
    this.name = "ActiveJobError";
  }
}

/**
 * What the numbers will lack because rows are deleted, for people. Empty: nothing.
 * @param timeZone of the new generation
 * @throws RowsDeletedError unless it is accepted
 */
export async function requireRows(
  rows: EventRows,
  {
    acceptDeletedRows = false,
    timeZone,
  }: { readonly acceptDeletedRows: boolean | undefined; readonly timeZone: string },
): Promise<readonly string[]> {
  const horizon = await rows.horizon(timeZone);
  if (!horizon) return [];
  const lines = horizonLines(horizon);
  if (!acceptDeletedRows) throw new RowsDeletedError(lines);
  return lines;
}

/**
 * Whether something computes the active generation: a run that holds its lease, or a job on Dataflow.
 * @throws ActiveJobError when that cannot be known, or contradicts `--take-over`
 */
export async function isComputed(driver: RebuildDriver, active: Generation, takeOver: boolean): Promise<boolean> {
  if (isRunning(active)) return true;
  const { job, generation } = active;
  if (job?.runner !== "dataflow") return false;
  const name = `job ${job.name} in ${job.region}`;
  if (driver.runner !== "dataflow") {
    if (takeOver) return false;
    throw new ActiveJobError(
      `Generation ${generation} is computed by ${name} on Dataflow. Rebuild it with \`--runner dataflow\` and the options of \`launch\``,
    );
  }
  const { state, detail } = await driver.observe(active);
  const runs = state === "running" || state === "starting";
  if (runs && takeOver) {
    throw new ActiveJobError(
      `--take-over is for a lost state, but ${detail ?? name}, and computes generation ${generation}. Start the rebuild without it`,
    );
  }
  if (!runs && !takeOver) {
    throw new ActiveJobError(
      `Nothing computes the active generation ${generation}: ${detail ?? `${name} does not exist`}. Its state is lost, and events that it ` +
        "has not read yet would be missing. Rebuild with `--take-over`",
    );
  }
  return runs;
}
