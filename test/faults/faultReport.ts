import type { MemoryFigures } from "./memory";
import type { Recovery } from "./recordingLoad";
import type { TopicContents } from "./topicReader";

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

export const recoveryText = ({ firstSuccessMs, lastFailureMs }: Recovery): string =>
  `first 2xx after ${seconds(firstSuccessMs)}, last failed request sent after ${seconds(lastFailureMs)}`;

export const memoryText = ({ before, peak, after }: MemoryFigures, what = "memory"): string =>
  `${what} ${before} MiB, peak ${peak}, then ${after}`;

export const statusesText = (statuses: Readonly<Record<string, number>>): string =>
  Object.keys(statuses)
    .sort()
    .map((status) => `${status}: ${statuses[status]}`)
    .join(", ");

export const topicText = ({ messages, events, missing }: TopicContents, acknowledged: number): string =>
  `${acknowledged} events acknowledged, ${missing.length} missing (${events} in ${messages} messages)`;

/** Prints the figures of a fault under the name of its test. */
export function printFigures(...texts: readonly string[]): void {
  for (const text of texts) console.log(`        ${text}`);
}
