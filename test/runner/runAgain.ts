import { failedFiles, type TestSummary } from "./summary";

/** More files do not fail by coincidence. */
const MAX_FILES = 3;

/**
 * Runs files that failed beside others once more, one after the other. On a machine that is busy or is paused for a minute, time limits of
 * services are exceeded. A file that passes alone is not hidden: it is reported as unstable, and its test or its code needs work.
 *
 * @param run runs files one after the other
 * @returns the outcome of each file when it ran last, and the files that failed only the first time
 */
export async function runFailedAgain(
  summary: TestSummary,
  run: (files: readonly string[]) => Promise<TestSummary>,
): Promise<{ readonly summary: TestSummary; readonly unstable: readonly string[] }> {
  const failed = failedFiles(summary);
  if (failed.length === 0 || failed.length > MAX_FILES) return { summary, unstable: [] };
  const second = await run(failed);
  const failedAgain = failedFiles(second);
  return {
    summary: { ...summary, ...second },
    unstable: failed.filter((file) => file in second && !failedAgain.includes(file)),
  };
}
