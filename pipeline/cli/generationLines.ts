import { countsBots, isRunning, timeZoneOf, type Generation } from "@eventlogger/gcp/bigquery/generations";
import type { GenerationTotals } from "@eventlogger/gcp/bigquery/generations/generationTotals";
import { formatDuration } from "@eventlogger/options/options";
import { grouped } from "@eventlogger/options/terminal";
import { alignedLines } from "./textTable";

export interface ListedGeneration {
  readonly row: Generation;
  /** Undefined: it has no numbers. */
  readonly totals: GenerationTotals | undefined;
}

const HEADINGS = [
  "generation",
  "status",
  "gap",
  "time zone",
  "bots",
  "days",
  "sessions",
  "users",
  "created",
  "active since",
  "computed by",
];

const NONE = "-";

/** `2026-01-31 12:00:00` of an ISO 8601 time. */
const shortTime = (iso: string): string => iso.slice(0, 19).replace("T", " ");

/** What computes a generation, and whether it does. */
function computedBy(row: Generation): string {
  const { job, lease } = row;
  const where =
    job === null
      ? NONE
      : job.runner === "flink"
        ? `${job.stateDirectory} on ${job.host}`
        : `job ${job.name} in ${job.region}${job.id === undefined ? "" : ` (${job.id})`}`;
  if (isRunning(row)) return `${where}, running (${lease?.holder})`;
  return job?.runner === "flink" ? `${where}, not running` : where;
}

function cells({ row, totals }: ListedGeneration): string[] {
  const { settings } = row;
  const status = row.status === "retired" && row.activatedAt === null ? "aborted" : row.status;
  return [
    String(row.generation),
    status,
    formatDuration(settings.sessionGapMs),
    timeZoneOf(settings),
    countsBots(settings) ? "counted" : "not counted",
    grouped(totals?.days ?? 0),
    grouped(totals?.sessions ?? 0),
    grouped(totals?.users ?? 0),
    shortTime(row.createdAt),
    row.status === "active" && row.activatedAt !== null ? shortTime(row.activatedAt) : NONE,
    computedBy(row),
  ];
}

/** The generations as a table for people; times are UTC. */
export function generationLines(generations: readonly ListedGeneration[]): string[] {
  return alignedLines([HEADINGS, ...generations.map(cells)]);
}

/** A generation as JSON, without the secret in its settings. */
export function generationDocument({ row, totals }: ListedGeneration): Record<string, unknown> {
  const { settings, lease, ...rest } = row;
  return {
    ...rest,
    sessionGapMs: settings.sessionGapMs,
    timeZone: timeZoneOf(settings),
    countBots: countsBots(settings),
    running: isRunning(row),
    lease: lease && { holder: lease.holder, takenAt: lease.takenAt, expiresAt: lease.expiresAt },
    ...(totals ?? { days: 0, sessions: 0, users: 0 }),
  };
}
