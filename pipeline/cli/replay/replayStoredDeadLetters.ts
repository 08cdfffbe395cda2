import { dayFromIso, DAY_MS, dayStart } from "@eventlogger/events/day";
import { colours } from "@eventlogger/options/terminal";
import { StopRequestedError } from "@eventlogger/process/stopSignals";
import { replayDeadLetters, type DeadLetterCounts } from "../../replay/replayDeadLetters";
import { countText, type ReplayContext, type ReplayReport } from "./replayContext";

const startOf = (day: string): number => dayStart(dayFromIso(day) ?? NaN);

/** Replays the events of dead letters. */
export async function replayStoredDeadLetters(context: ReplayContext): Promise<ReplayReport> {
  const { o, bigquery, pubsub, target, progress, signal } = context;
  let counts: DeadLetterCounts = { replayed: 0, resent: 0, notSent: 0 };
  const text = ({ replayed, resent, notSent }: DeadLetterCounts): string =>
    `${countText(replayed, "event")} with a row, ${resent} sent like new ones, ${notSent} cannot be sent`;
  const isInterrupted = await progress.step("replaying dead letters", async (onProgress) => {
    try {
      counts = await replayDeadLetters({
        ...{ bigquery, dataset: o.dataset, pubsub, topic: o.topic, replayTopic: target.topic },
        ...{ generation: target.generation, rate: o.rate, dryRun: o.dryRun, signal },
        since: startOf(o.from),
        until: startOf(o.to) + DAY_MS,
        onProgress: (handled) => {
          counts = handled;
          onProgress(text(handled));
        },
      });
      return false;
    } catch (error) {
      if (error instanceof StopRequestedError) return true;
      throw error;
    }
  });
  const { green, yellow } = colours(process.stdout);
  const verb = o.dryRun ? "would replay" : green("replayed");
  return {
    document: { ...counts },
    lines: isInterrupted
      ? [
          `${yellow("interrupted")} after ${text(counts)}`,
          "start again with the same command: events that were sent already change nothing",
        ]
      : [`${verb} ${text(counts)}, into generation ${target.generation}`],
    isFailed: counts.notSent > 0,
  };
}
