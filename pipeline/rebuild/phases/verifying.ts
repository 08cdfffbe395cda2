import type { Difference } from "@eventlogger/gcp/bigquery/verify/compareRollups";
import { UserError } from "@eventlogger/process/main";
import { ensureStarted, pause, type RebuildContext } from "../context";
import { replayChanged } from "../replayPartitions";
import type { Comparison } from "../services";

/** Differences that an error lists. */
const MAX_LISTED = 10;

/** The numbers of the new generation do not equal those that the raw rows give. Readers still see the previous ones. */
export class RebuildWrongError extends UserError {
  constructor(generation: number, { unexplained }: Comparison) {
    const line = ({ date, number, expected, actual }: Difference): string =>
      `  ${date}  ${number} is ${actual ?? "missing"}, but ${expected ?? "missing"} according to the raw events`;
    const more = unexplained.length - MAX_LISTED;
    super(
      `The numbers of generation ${generation} differ from the raw events, so that it was not activated:\n` +
        unexplained.slice(0, MAX_LISTED).map(line).join("\n") +
        (more > 0 ? `\n  and ${more} more` : "") +
        "\nThe same command compares them again. `eventlogger rebuild --abort` removes the new generation",
    );
    this.name = "RebuildWrongError";
  }
}

/**
 * Compares the numbers of the new generation with those that SQL computes from the raw rows. While events arrive, both are read at
 * different moments: a difference is accepted only if the events in flight explain it, and only after some time, in which a day can
 * become equal.
 * @throws RebuildWrongError when differences without an explanation stay
 */
export async function verifying(context: RebuildContext): Promise<void> {
  const { services, session, times, report, signal } = context;
  await ensureStarted(context);
  const began = performance.now();
  for (;;) {
    report.doing("comparing the numbers with the raw events");
    const { publishedUntil } = await services.driver.observe(session.generation);
    if (publishedUntil.live !== undefined) {
      const found = await services.verifier.compare(session.generation, publishedUntil.live - times.clockSkewMs, signal);
      const elapsed = performance.now() - began;
      const { differences, unexplained, equalDays } = found;
      if (differences.length === 0 || (unexplained.length === 0 && elapsed >= times.settleMs)) {
        const inFlight = new Set(differences.map(({ date }) => date)).size;
        report.say(
          `verified: ${equalDays} days equal the raw events` +
            (inFlight ? `, ${inFlight} differ by events in flight only` : ""),
        );
        break;
      }
      if (unexplained.length > 0 && elapsed >= times.verifyLimitMs) {
        throw new RebuildWrongError(session.generation.generation, found);
      }
      report.doing(`${differences.length} numbers still differ, ${unexplained.length} of them by more than events in flight`);
    }
    await pause(times.compareMs, signal);
    await ensureStarted(context);
  }
  // The previous pipeline may have written events meanwhile that were redelivered late.
  const wasComplete = (await replayChanged(context)) === 0;
  await session.update({ phase: wasComplete ? "activating" : "catching up" });
}
