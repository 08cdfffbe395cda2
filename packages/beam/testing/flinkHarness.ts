import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Root, PValue } from "apache-beam/pvalue";
import { cacheDir } from "@eventlogger/process/packageRoot";
import { waitUntil } from "@eventlogger/process/wait";
import { buildPipeline, ensureFlinkClasspath, runOnFlink, type FlinkRun, type FlinkRunnerOptions } from "../index";

/**
 * Time limit for anything that a job on embedded Flink does, ms. Far longer than it takes on a busy machine; shorter than the
 * limit of a checkpoint, after which Flink would restart a job that hangs.
 */
export const LIMIT_MS = 150_000;

/** The folder of a test, and its runs on embedded Flink. */
export class FlinkHarness {
  readonly directory = mkdtempSync(path.join(tmpdir(), "beam-flink-"));
  private readonly runs: FlinkRun[] = [];

  /** The path of a file in the folder. */
  file(name: string): string {
    return path.join(this.directory, name);
  }
  /** The lines that `AppendToFile` wrote to a file, parsed. */
  lines<T>(name: string): T[] {
    if (!existsSync(this.file(name))) return [];
    const lines = readFileSync(this.file(name), "utf8").split("\n");
    return lines.filter((line) => line).map((line) => JSON.parse(line) as T);
  }
  /** The content of a file; empty when it does not exist. */
  text(name: string): string {
    return existsSync(this.file(name)) ? readFileSync(this.file(name), "utf8") : "";
  }
  /** A classpath with Beam's own classes in place of those that this library replaces. */
  async beamsOwnClasspath(): Promise<string> {
    const [ours = "", ...jars] = (await ensureFlinkClasspath({ cacheDir })).split(path.delimiter);
    const added = this.file("added-classes");
    cpSync(path.join(path.dirname(ours), "classes", "beam"), path.join(added, "beam"), { recursive: true });
    return [added, ...jars].join(path.delimiter);
  }
  /** Builds a pipeline and runs it. */
  async start(
    build: (root: Root) => PValue<unknown> | Promise<PValue<unknown>>,
    options: Partial<FlinkRunnerOptions> = {},
  ): Promise<FlinkRun> {
    const run = await runOnFlink(await buildPipeline(build), {
      jobName: "test",
      classpath: await ensureFlinkClasspath({ cacheDir }),
      workDir: this.file("work"),
      logDir: this.directory,
      heap: "600m",
      ...options,
    });
    this.runs.push(run);
    return run;
  }
  /** Waits for a condition; the error contains the end of the log of the workers. */
  async until(condition: () => boolean, timeoutMs: number, what: string): Promise<void> {
    const details = (): string => this.text("workers.log").slice(-3000);
    await waitUntil(what, condition, { timeoutMs, intervalMs: 100, details });
  }
  /** Stops every run and removes the folder. */
  async close(): Promise<void> {
    for (const run of this.runs) await run.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
