import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path = require("node:path");
import type { Root, PValue } from "apache-beam/pvalue";
import { cacheDir } from "@eventlogger/process/packageRoot";
import { buildPipeline, ensureFlinkClasspath, runOnFlink, type FlinkRun, type FlinkRunnerOptions } from "../index";

/** One test's folder and its runs on embedded Flink. */
export class FlinkHarness {
  readonly directory = mkdtempSync(path.join(tmpdir(), "beam-flink-"));
  private readonly runs: FlinkRun[] = [];

  file(name: string): string {
    return path.join(this.directory, name);
  }
  /** The lines of JSON that `AppendToFile` wrote. */
  lines<T>(name: string): T[] {
    if (!existsSync(this.file(name))) return [];
    const lines = readFileSync(this.file(name), "utf8").split("\n");
    return lines.filter((line) => line).map((line) => JSON.parse(line) as T);
  }
  text(name: string): string {
    return existsSync(this.file(name)) ? readFileSync(this.file(name), "utf8") : "";
  }
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
  async until(condition: () => boolean, timeoutMs: number, what: string): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!condition()) {
      if (Date.now() > deadline) {
        throw new Error(`${what}: not within ${timeoutMs} ms\n${this.text("workers.log").slice(-3000)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  /** Stops every run and removes the folder. */
  async close(): Promise<void> {
    for (const run of this.runs) await run.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
