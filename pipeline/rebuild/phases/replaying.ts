import { ensureStarted, type RebuildContext } from "../context";
import { replayChanged } from "../replayPartitions";

/** Starts the pipeline of the new generation, and replays the raw rows into it, one partition of `events` after the other. */
export async function replaying(context: RebuildContext): Promise<void> {
  await ensureStarted(context);
  await replayChanged(context);
  await context.session.update({ phase: "catching up" });
}
