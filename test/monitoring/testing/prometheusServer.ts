import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { freePort } from "@eventlogger/process/ports";
import { answers, awaitReady } from "@eventlogger/process/readiness";
import { findProgram } from "./programs";

/** One series of the result of a query. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  /** Time and value. */
  readonly value: readonly [number, string];
}

/** A rule as Prometheus has read it. */
export interface LoadedRule {
  readonly type: "alerting" | "recording";
  readonly name: string;
  readonly query: string;
  readonly health: "ok" | "err" | "unknown";
  readonly lastError?: string;
}

export interface ServerOptions {
  /** `host:port` by the name of the job. */
  readonly targets: Readonly<Record<string, string>>;
  /** Files of rules, absolute paths. */
  readonly rules: readonly string[];
}

/** A real Prometheus on the loopback interface that scrapes and evaluates every half second. */
export class PrometheusServer {
  private constructor(
    private readonly folder: string,
    private readonly url: string,
    private readonly process: ChildProcess,
  ) {}

  static async start({ targets, rules }: ServerOptions): Promise<PrometheusServer> {
    const folder = mkdtempSync(join(tmpdir(), "prometheus-"));
    const jobs = Object.entries(targets).map(([name, target]) => ({
      job_name: name,
      static_configs: [{ targets: [target] }],
    }));
    const config = {
      global: { scrape_interval: "500ms", scrape_timeout: "500ms", evaluation_interval: "500ms" },
      rule_files: rules,
      scrape_configs: jobs,
    };
    // JSON is YAML.
    writeFileSync(join(folder, "prometheus.yml"), JSON.stringify(config));
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const child = await startChildProcess({
      name: "prometheus",
      command: findProgram("prometheus"),
      args: [
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      logFile: join(folder, "prometheus.log"),
    });
    await awaitReady(child, () => answers(`${url}/-/ready`), 60_000);
    return new PrometheusServer(folder, url, child);
  }

  /** The result of an instant query. @throws Error that has the text of Prometheus when the query is not valid */
  async query(expression: string): Promise<readonly Series[]> {
    const answer = await this.get<{ resultType: string; result: Series[] }>("query", { query: expression });
    return answer.result;
  }

  /** All rules that are loaded. */
  async rules(): Promise<readonly LoadedRule[]> {
    const { groups } = await this.get<{ groups: { rules: LoadedRule[] }[] }>("rules", {});
    return groups.flatMap((group) => group.rules);
  }

  async stop(): Promise<void> {
    await this.process.stop();
    rmSync(this.folder, { recursive: true });
  }

  private async get<T>(path: string, parameters: Readonly<Record<string, string>>): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`);
    const answer = (await response.json()) as { status: string; error?: string; data: T };
    if (answer.status !== "success") throw new Error(`${parameters["query"] ?? path}: ${answer.error ?? ""}`);
    return answer.data;
  }
}
