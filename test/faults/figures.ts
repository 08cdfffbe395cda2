import type { MemoryFigures } from "./memory";
import type { Recovery } from "./recordingLoad";
import type { TopicContents } from "./topicReader";

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

export const recoveryText = ({ firstSuccessMs, lastFailureMs }: Recovery): string =>
  `first 2xx after ${seconds(firstSuccessMs)}, the last request that failed sent after ${seconds(lastFailureMs)}`;

export const memoryText = ({ before, peak, after }: MemoryFigures, what = "memory"): string =>
  `${what} ${before} MiB, at most ${peak}, then ${after}`;

export const statusesText = (statuses: Readonly<Record<string, number>>): string =>
  Object.keys(statuses)
    .sort()
    .map((status) => `${status}: ${statuses[status]}`)
    .join(", ");

export const topicText = ({ messages, events, missing }: TopicContents, promised: number): string =>
  `${promised} events promised, ${missing.length} missing (${events} in ${messages} messages)`;

/** Prints what a fault came to, under the name of its test. */
export function printFigures(...texts: readonly string[]): void {
  for (const text of texts) console.log(`        ${text}`);
}
