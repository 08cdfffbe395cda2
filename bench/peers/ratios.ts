import { medianFigures, type RunFigures } from "../figures";
import type { ContenderName } from "./contender";

/** Programs that do the same work, ours first. */
const PAIRS: readonly (readonly [ContenderName, ContenderName])[] = [
  ["product", "java"],
  ["product-rocksdb", "java"],
  ["product-windows", "java-windows"],
  ["product", "java-windows"],
  ["product", "product-windows"],
  ["product", "python"],
  ["product-windows", "python-windows"],
];

const times = (ratio: number): string => ratio.toFixed(2);

/** Ratios of the medians of programs that ran, as lines. Only exact runs count. */
export function compareRuns(runs: readonly RunFigures[]): string[] {
  const of = (name: ContenderName): RunFigures | undefined => medianFigures(runs.filter((run) => run.name === name));
  return PAIRS.flatMap(([ours, other]) => {
    const a = of(ours);
    const b = of(other);
    if (!a || !b) return [];
    const worker =
      b.cpuPerMillion.worker > 0 && ours !== other && other.startsWith("python")
        ? `, worker CPU per event 1 : ${times(b.cpuPerMillion.worker / a.cpuPerMillion.worker)}`
        : "";
    const note = a.events === b.events ? "" : ` (${a.events} and ${b.events} events)`;
    return [
      `${ours} / ${other}: ${times(a.eventsPerSecond / b.eventsPerSecond)} times the events/s, ` +
        `${times(a.cpuPerMillion.all / b.cpuPerMillion.all)} times the CPU per event, ` +
        `${times(a.peakRssMiB.all / b.peakRssMiB.all)} times the memory${worker}${note}`,
    ];
  });
}
