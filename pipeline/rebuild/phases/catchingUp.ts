import type { Generation } from "@eventlogger/gcp/bigquery/generations";
import { ensureStarted, previousGeneration, untilPipeline, type RebuildContext } from "../context";
import type { PipelineStatus } from "../driver";
import { replayChanged } from "../replayPartitions";

const seconds = (ms: number): string => `${Math.max(1, Math.ceil(ms / 1000)).toLocaleString("en")} s`;

/**
 * Waits until nothing is missing in the new generation: the previous one has written all events that were published before the cut-off,
 * they are replayed, and the new one has processed both of its subscriptions.
 */
export async function catchingUp(context: RebuildContext): Promise<void> {
  await ensureStarted(context);
  await untilRowsComplete(context);
  // First, because the new pipeline writes rows, too: a second one of each live event, also of those around the cut-off.
  await untilDrained(context);
  if ((await replayChanged(context)) > 0) await untilDrained(context);
  await context.session.update({ phase: "verifying" });
}

/** How the pipeline of a generation begins again where it has ended. */
function toStart({ job }: Generation): string {
  return job?.runner === "dataflow"
    ? `its job ${job.name} has ended. Without a snapshot its state is lost; with one, \`eventlogger launch --from-snapshot\` starts it`
    : "start it with `eventlogger run`";
}

/** What to do when the pipeline of a generation makes no progress. */
function toGoOn({ job }: Generation): string {
  return job?.runner === "dataflow"
    ? `Look at its job: \`eventlogger logs --job-name ${job.name} --region ${job.region} --min-importance warning\``
    : "Start it: `eventlogger run` with the same options";
}

/** Waits until `events` has every event that was published before the cut-off. */
async function untilRowsComplete(context: RebuildContext): Promise<void> {
  const { session, times } = context;
  const { rowsComplete, takeOver, cutOff } = session.record;
  // With --take-over, the messages that the lost pipeline has not acknowledged reach the new one.
  if (rowsComplete || takeOver) return;
  if (cutOff === null) throw new Error("The rebuild has no cut-off yet");
  const previous = await previousGeneration(context);
  const until = Date.parse(cutOff) + times.clockSkewMs;
  const missingMs = ({ publishedUntil: { live } }: PipelineStatus): number | undefined =>
    live === undefined ? undefined : until - live;
  await untilPipeline(context, previous, {
    isDone: (status) => (missingMs(status) ?? Infinity) <= 0,
    key: ({ state, publishedUntil }) => [state, publishedUntil.live],
    limitMs: times.previousLimitMs,
    doing: (status) => {
      if (status.state === "absent") return `nothing computes generation ${previous.generation}: ${toStart(previous)}`;
      const left = missingMs(status);
      return left === undefined
        ? `waiting for the pipeline of generation ${previous.generation} (${status.state})`
        : `generation ${previous.generation} still has to write events published in ${seconds(left)}`;
    },
    problem: ({ state, detail }) =>
      `The pipeline of generation ${previous.generation} makes no progress (${state}${detail ? `: ${detail}` : ""}), and the events ` +
      `that it has not written yet would be missing. ${toGoOn(previous)}. If its state is lost: ` +
      "`eventlogger rebuild --abort`, then `eventlogger rebuild --take-over`",
  });
  await session.update({ rowsComplete: true });
}

/** Waits until the new pipeline has processed every replay message and every live message until now. */
async function untilDrained(context: RebuildContext): Promise<void> {
  const { services, session, times } = context;
  const now = await services.store.now();
  const { replayedAt } = session.record;
  const replayUntil = replayedAt === null ? undefined : Date.parse(replayedAt);
  const { generation } = session.generation;
  const isReached = (reached: number | undefined, wanted: number | undefined): boolean =>
    wanted === undefined || (reached !== undefined && reached >= wanted);
  await untilPipeline(context, session.generation, {
    isDone: ({ publishedUntil: { live, replay } }) => isReached(live, now) && isReached(replay, replayUntil),
    key: ({ state, publishedUntil }) => [state, publishedUntil],
    limitMs: times.progressLimitMs,
    restart: () => ensureStarted(context),
    doing: ({ state, publishedUntil: { live, replay } }) => {
      if (state !== "running") return `waiting for the pipeline of generation ${generation} (${state})`;
      if (!isReached(replay, replayUntil)) return `generation ${generation} is reading the replayed rows`;
      return live === undefined
        ? `generation ${generation} is reading live events`
        : `generation ${generation} is ${seconds(now - live)} behind live events`;
    },
    problem: ({ state, detail }) =>
      `The pipeline of generation ${generation} makes no progress (${state}${detail ? `: ${detail}` : ""}). Correct what its log names`,
  });
}
