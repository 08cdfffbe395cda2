import { median } from "./report";
import type { UsageMeter } from "./usageMeter";

/** What one run of a pipeline has cost. Times count from its first event, so without the start of the processes. */
export interface RunFigures {
  /** The program that was measured. */
  readonly name: string;
  readonly events: number;
  /** Whether the totals of every day became those that were computed from the events. */
  readonly isExact: boolean;
  /** Until the totals were exact, s. */
  readonly seconds: number;
  /** Until the last event was read, s. */
  readonly readSeconds: number;
  readonly eventsPerSecond: number;
  /** CPU time for a million events, s. */
  readonly cpuPerMillion: { readonly jvm: number; readonly worker: number; readonly all: number };
  /** Largest resident memory, MiB. */
  readonly peakRssMiB: { readonly jvm: number; readonly worker: number; readonly all: number };
  /** Share of the CPU of the machine, 0 to 1. */
  readonly share: { readonly own: number; readonly all: number };
  /** Restarts of the job or its workers, and errors: a run with problems does not count as undisturbed. */
  readonly problems: readonly string[];
}

export interface RunTimes {
  readonly startedAt: number;
  readonly readAt: number;
  readonly exactAt: number;
}

/**
 * @param meter has the groups `jvm` and, unless the JVM does everything, `worker`
 * @param times of `performance.now()`, ms
 */
export function runFigures(
  run: Pick<RunFigures, "name" | "events" | "isExact" | "problems">,
  meter: UsageMeter,
  { startedAt, readAt, exactAt }: RunTimes,
): RunFigures {
  const { jvm, worker } = meter.usage();
  const seconds = (exactAt - startedAt) / 1000;
  const perMillion = (ms = 0): number => (ms * 1000) / run.events;
  return {
    ...run,
    seconds,
    readSeconds: (readAt - startedAt) / 1000,
    eventsPerSecond: run.events / seconds,
    cpuPerMillion: {
      jvm: perMillion(jvm?.cpuMs),
      worker: perMillion(worker?.cpuMs),
      all: perMillion((jvm?.cpuMs ?? 0) + (worker?.cpuMs ?? 0)),
    },
    peakRssMiB: {
      jvm: jvm?.peakRssMiB ?? 0,
      worker: worker?.peakRssMiB ?? 0,
      all: (jvm?.peakRssMiB ?? 0) + (worker?.peakRssMiB ?? 0),
    },
    share: meter.shares(),
    problems: run.problems,
  };
}

const HEADER = [
  "",
  "exact",
  "events/s",
  "s",
  "read, s",
  "CPU s/M",
  "JVM",
  "worker",
  "RSS MiB",
  "JVM",
  "worker",
  "share",
  "machine",
];

const percent = (share: number): string => `${Math.round(share * 100)} %`;

function cells(figures: Omit<RunFigures, "problems">, exact: string): string[] {
  const { cpuPerMillion: cpu, peakRssMiB: rss, share } = figures;
  return [
    figures.name,
    exact,
    figures.eventsPerSecond.toFixed(0),
    figures.seconds.toFixed(1),
    figures.readSeconds.toFixed(1),
    ...[cpu.all, cpu.jvm, cpu.worker].map((s) => s.toFixed(0)),
    ...[rss.all, rss.jvm, rss.worker].map((mib) => mib.toFixed(0)),
    percent(share.own),
    percent(share.all),
  ];
}

/** Aligns the columns of a table: the first one left, the others right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** The medians of several runs of one program. Only exact runs count; undefined without an exact run. */
export function medianFigures(runs: readonly RunFigures[]): RunFigures | undefined {
  const exact = runs.filter((run) => run.isExact);
  const [first] = exact;
  if (!first) return undefined;
  const of = (value: (run: RunFigures) => number): number => median(exact.map(value));
  return {
    ...first,
    seconds: of((run) => run.seconds),
    readSeconds: of((run) => run.readSeconds),
    eventsPerSecond: of((run) => run.eventsPerSecond),
    cpuPerMillion: {
      jvm: of((run) => run.cpuPerMillion.jvm),
      worker: of((run) => run.cpuPerMillion.worker),
      all: of((run) => run.cpuPerMillion.all),
    },
    peakRssMiB: {
      jvm: of((run) => run.peakRssMiB.jvm),
      worker: of((run) => run.peakRssMiB.worker),
      all: of((run) => run.peakRssMiB.all),
    },
    share: { own: of((run) => run.share.own), all: of((run) => run.share.all) },
    problems: exact.flatMap((run) => run.problems),
  };
}

/**
 * A table of runs. Columns: events/s and seconds from the first event to exact totals; seconds until the last event was
 * read; CPU seconds per million events; peak of memory; share of the CPU of the machine, of this run and of everything.
 */
export function runTable(runs: readonly RunFigures[]): string {
  return formatTable([HEADER, ...runs.map((run) => cells(run, run.isExact ? "yes" : "NO"))]);
}

/** The same table of the medians of each program, in the order in which the programs first ran. */
export function medianTable(runs: readonly RunFigures[]): string {
  const names = [...new Set(runs.map((run) => run.name))];
  const rows = names.map((name) => {
    const own = runs.filter((run) => run.name === name);
    const exact = `${own.filter((run) => run.isExact).length} of ${own.length}`;
    const figures = medianFigures(own);
    return figures ? cells(figures, exact) : [name, exact];
  });
  return formatTable([HEADER, ...rows]);
}
