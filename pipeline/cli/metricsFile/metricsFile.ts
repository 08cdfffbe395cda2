import { statSync } from "node:fs";
import { chmod, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { Gauge, Registry } from "prom-client";
import type { OptionSpecs } from "@eventlogger/options/options";
import { UserError } from "@eventlogger/process/main";

/** node_exporter runs as another user, and must be able to read the file. */
const MODE = 0o644;

/** node_exporter reads files with this suffix only. */
const SUFFIX = ".prom";

function fileProblem(file: string): string | undefined {
  if (!file.endsWith(SUFFIX)) return `must end with ${SUFFIX}, because node_exporter reads no other files`;
  const folder = path.dirname(path.resolve(file));
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  return `must be in a folder that exists; create ${folder} first`;
}

/** The option of commands that report their result to Prometheus. Without a variable: each command needs a file of its own. */
export const metricsFileOption = {
  metricsFile: {
    type: "string",
    describe:
      "File for the result as metrics of Prometheus, in the text format of node_exporter's textfile collector. Replaced " +
      "when the command has a result, and left as it is when the command fails",
    optional: true,
    isFlagOnly: true,
    check: fileProblem,
  },
} as const satisfies OptionSpecs;

/** One gauge with all its samples. */
export interface FileMetric {
  /** With its unit, as Prometheus recommends: `…_seconds`, `…_bytes`. */
  readonly name: string;
  readonly help: string;
  readonly samples: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

/** When a command ran. */
export interface CommandRun {
  /** Epoch ms. */
  readonly startedAt: number;
  /** Epoch ms. */
  readonly endedAt: number;
}

/** A gauge with one sample, whose labels are those of the file. */
export const single = (name: string, help: string, value: number): FileMetric => ({
  ...{ name, help },
  samples: [{ labels: {}, value }],
});

/**
 * What the files of all commands tell: when the command ended, how long it took, and what it read.
 * @param bytesScanned bytes that BigQuery has read; undefined when it reports none
 */
export function commandMetrics(
  command: "verify" | "refresh",
  { startedAt, endedAt }: CommandRun,
  bytesScanned: number | undefined,
): FileMetric[] {
  const prefix = `eventlogger_${command}`;
  const end = `When the last ${command} with a result ended, as Unix time`;
  return [
    single(`${prefix}_last_run_timestamp_seconds`, end, endedAt / 1000),
    single(`${prefix}_duration_seconds`, `Time that ${command} took`, (endedAt - startedAt) / 1000),
    ...(bytesScanned === undefined
      ? []
      : [single(`${prefix}_scanned_bytes`, `Bytes that BigQuery has read for ${command}`, bytesScanned)]),
  ];
}

/** Metrics in the text format of Prometheus. @param labels added to each sample */
export async function metricsText(
  metrics: readonly FileMetric[],
  labels: Readonly<Record<string, string>>,
): Promise<string> {
  const registry = new Registry();
  for (const { name, help, samples } of metrics) {
    const all = samples.map((sample) => ({ ...sample, labels: { ...labels, ...sample.labels } }));
    const labelNames = [...new Set(all.flatMap((sample) => Object.keys(sample.labels)))];
    const gauge = new Gauge({ name, help, labelNames, registers: [registry] });
    for (const sample of all) gauge.set(sample.labels, sample.value);
  }
  return registry.metrics();
}

/**
 * Writes a file for node_exporter's textfile collector. A reader finds the old or the new content, never a part.
 * @throws UserError that names the file when it cannot be written
 */
export async function writeMetricsFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}`;
  try {
    await writeFile(temporary, text);
    await chmod(temporary, MODE); // whatever the umask
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true });
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(`--metrics-file: cannot write ${file} (${problem}). Choose a file that this user may write`, {
      cause,
    });
  }
}
