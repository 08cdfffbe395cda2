import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { pubSubClient } from "@eventlogger/gcp/pubsub/client";
import { Progress } from "@eventlogger/options/progress";
import { colours } from "@eventlogger/options/terminal";
import { onStopSignals } from "@eventlogger/process/stopSignals";
import { findReplayTarget } from "../../replay/replayTarget";
import { INTERRUPTED } from "../exitCodes";
import { writeResult } from "../output";
import { requireServices } from "../services";
import { replayStoredDeadLetters } from "./replayStoredDeadLetters";
import { replayStoredRows } from "./replayStoredRows";
import type { ReplayContext, ReplayOptions } from "./replayContext";

/** Runs the command `replay`. @returns the exit code */
export async function replay(o: ReplayOptions): Promise<number> {
  await requireServices({ ...o, pubsub: true, bigquery: { endpoint: o.bigqueryEndpoint } });
  const bigquery = bigQueryClient({ project: o.project, endpoint: o.bigqueryEndpoint });
  const pubsub = pubSubClient({ project: o.project });
  const stop = onStopSignals({ exitCode: INTERRUPTED });
  const progress = new Progress(process.stderr);
  try {
    const { warning, ...target } = await findReplayTarget(bigquery, pubsub, { ...o, names: o });
    if (warning !== undefined) progress.print(`${colours(process.stderr).yellow("warning")} ${warning}`);
    const context: ReplayContext = { o, bigquery, pubsub, target, progress, signal: stop.signal };
    const { document, lines, isFailed } = await (o.deadLetters
      ? replayStoredDeadLetters(context)
      : replayStoredRows(context));
    const interrupted = stop.signal.aborted;
    writeResult(o.json, { ...target, dryRun: o.dryRun, interrupted, ...document }, lines);
    if (interrupted) return INTERRUPTED;
    return isFailed ? 1 : 0;
  } finally {
    await pubsub.close();
    stop.dispose();
  }
}
