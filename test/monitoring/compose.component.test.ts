import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { promtool, ruleFiles, RULES_FOLDER } from "./testing/ruleFiles";

const CONFIG = join(repositoryRoot, "local", "monitoring", "prometheus.yml");

const names = (text: string, pattern: RegExp): string[] => [
  ...new Set([...text.matchAll(pattern)].map(([, name = ""]) => name)),
];

describe("The monitoring of Docker Compose", () => {
  it("has a configuration of Prometheus that promtool accepts, with the rules", async () => {
    const folder = mkdtempSync(join(tmpdir(), "prometheus-"));
    try {
      // As docker-compose.yml mounts them.
      cpSync(CONFIG, join(folder, "prometheus.yml"));
      cpSync(RULES_FOLDER, join(folder, "rules"), { recursive: true });
      const output = await promtool(["check", "config", join(folder, "prometheus.yml")]);
      assert.match(output, new RegExp(`SUCCESS: ${ruleFiles().length} rule files found`));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("scrapes every job that the rules and the dashboard name", () => {
    const dashboard = readFileSync(join(repositoryRoot, "docs", "operations", "grafana", "eventlogger.json"), "utf8");
    const texts = [...ruleFiles().map((file) => readFileSync(file, "utf8")), dashboard];
    const used = names(texts.join("\n"), /\bjob=\\?"([\w-]+)\\?"/g);
    const scraped = names(readFileSync(CONFIG, "utf8"), /job_name: (\S+)/g);
    assert.ok(used.length >= 2);
    assert.deepEqual(
      used.filter((job) => !scraped.includes(job)),
      [],
    );
  });

  it("mounts only files and folders that exist", () => {
    const compose = readFileSync(join(repositoryRoot, "docker-compose.yml"), "utf8");
    const mounted = names(compose, /^ +- \.\/(\S+?):/gm);
    assert.ok(mounted.length >= 5);
    assert.deepEqual(
      mounted.filter((file) => !existsSync(join(repositoryRoot, file))),
      [],
    );
  });
});
