import type { RetentionDifference } from "@eventlogger/gcp/bigquery/verify/compareRetention";
import type { Difference } from "@eventlogger/gcp/bigquery/verify/compareRollups";
import { UserError } from "@eventlogger/process/main";
import { ensureStarted, pause, type RebuildContext } from "../context";
import { replayChanged } from "../replayPartitions";
import type { RebuildTimes } from "../services";

/** Differences that an error lists. */
const MAX_LISTED = 10;

/** A number that is not what the raw rows give. */
interface WrongNumber {
  readonly where: string;
  readonly expected: number | undefined;
  readonly actual: number | undefined;
}

const wrongDay = ({ date, number, expected, actual }: Difference): WrongNumber => ({
  ...{ where: `${date}  ${number}`, expected, actual },
});
const wrongCohort = ({ cohortWeek, weekOffset, expected, actual }: RetentionDifference): WrongNumber => ({
  ...{ where: `${cohortWeek}  retention in week ${weekOffset}`, expected, actual },
});

/** The numbers of the new generation do not equal those that the raw rows give. Readers still see the previous ones. */
export class RebuildWrongError extends UserError {
  constructor(generation: number, unexplained: readonly WrongNumber[]) {
    const line = ({ where, expected, actual }: WrongNumber): string =>
      `  ${where} is ${actual ?? "missing"}, but ${expected ?? "missing"} according to the raw events`;
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

/** Longest wait between two comparisons, as a multiple of the first one. */
const MAX_WAIT = 6;

/**
 * Compares the numbers of the new generation with those that SQL computes from the raw rows. While events arrive, both are read at
 * different moments: a difference is accepted only if the events in flight explain it, and only after some time, in which its day can
 * become equal. A day that was equal once is not compared again.
 * @throws RebuildWrongError when differences without an explanation stay
 */
export async function verifying(context: RebuildContext): Promise<void> {
  const { services, session, times, report, signal } = context;
  const began = performance.now();
  let days: string[] | undefined;
  let equalDays = 0;
  let equalCohorts = 0;
  for (let comparison = 1; ; comparison++) {
    await ensureStarted(context);
    const { publishedUntil } = await services.driver.observe(session.generation);
    report.doing("comparing the numbers with the raw events");
    // Undefined after a restart of the pipeline, which then does not know yet how far it is.
    if (publishedUntil.live !== undefined) {
      const inFlightSinceMs = publishedUntil.live - times.clockSkewMs;
      const found = await services.verifier.compare(session.generation, { inFlightSinceMs, days });
      const { differences, unexplained } = found;
      equalDays += found.equalDays;
      days = [...new Set(differences.map(({ date }) => date))];
      const elapsed = (): number => performance.now() - began;
      const areDaysRight = isEnough(found, elapsed(), times);
      // It reads all rows again, so it follows when the days are right.
      const retention = areDaysRight
        ? await services.verifier.compareRetention(session.generation, { inFlightSinceMs })
        : undefined;
      if (retention && isEnough(retention, elapsed(), times)) {
        equalCohorts = retention.equalCohorts;
        break;
      }
      const wrong = [...unexplained.map(wrongDay), ...(retention?.unexplained ?? []).map(wrongCohort)];
      if (wrong.length > 0) {
        if (elapsed() >= times.verifyLimitMs) throw new RebuildWrongError(session.generation.generation, wrong);
        // The previous pipeline may have written events meanwhile that were redelivered late.
        await replayChanged(context);
      }
      const differing = differences.length + (retention?.differences.length ?? 0);
      report.doing(`${differing} numbers still differ, ${wrong.length} of them by more than events in flight`);
    }
    await pause(times.compareMs * Math.min(MAX_WAIT, comparison), signal);
  }
  const inFlight = days?.length ? `, ${days.length} differ by events in flight only` : "";
  report.say(`verified: ${equalDays} days and ${equalCohorts} cohorts equal the raw events${inFlight}`);
  // Events that were redelivered late may also be too few to be noticed among those in flight.
  const wasComplete = (await replayChanged(context)) === 0;
  await session.update({ phase: wasComplete ? "activating" : "catching up" });
}

function isEnough(
  { differences, unexplained }: { readonly differences: readonly unknown[]; readonly unexplained: readonly unknown[] },
  elapsedMs: number,
  { settleMs }: RebuildTimes,
): boolean {
  return differences.length === 0 || (unexplained.length === 0 && elapsedMs >= settleMs);
}
