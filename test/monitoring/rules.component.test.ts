import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { parseMarkdown } from "../docs/markdown";
import { promtool, ruleFiles, RULES_FOLDER, ruleTests } from "./testing/ruleFiles";

const ALERT = /^ +- alert: (\w+)$/gm;
const alertNames = (text: string): string[] => [...text.matchAll(ALERT)].map(([, name = ""]) => name);
const allAlerts = (): string[] => ruleFiles().flatMap((file) => alertNames(readFileSync(file, "utf8")));

describe("Alert rules for Prometheus", () => {
  it("pass promtool check rules, with its lint", async () => {
    await promtool(["check", "rules", "--lint=all", "--lint-fatal", ...ruleFiles()]);
  });

  for (const file of ruleTests()) {
    it(`fire and do not fire as ${basename(file)} expects`, async () => {
      assert.match(await promtool(["test", "rules", file]), /SUCCESS/);
    });
  }

  it("have a test in which they fire, and one in which they do not", () => {
    const expectations = ruleTests().flatMap((file) =>
      [...readFileSync(file, "utf8").matchAll(/alertname: (\w+)\n +eval_time: \w+\n +exp_alerts:( \[\])?/g)].map(
        ([, name, none]) => `${name} ${none === undefined ? "fires" : "is quiet"}`,
      ),
    );
    const wanted = allAlerts().flatMap((name) => [`${name} fires`, `${name} is quiet`]);
    assert.ok(wanted.length > 40);
    assert.deepEqual([...new Set(expectations)].sort(), wanted.sort());
  });

  it("have a section of docs/operations/alerts.md each, which their annotation names, and the page has no others", () => {
    const page = join("docs", "operations", "alerts.md");
    const text = readFileSync(join(repositoryRoot, page), "utf8");
    const sections = [...text.matchAll(/^### (Eventlogger\w+)$/gm)].map(([, name = ""]) => name);
    assert.deepEqual(sections.sort(), allAlerts().sort());
    const { anchors } = parseMarkdown(text);
    for (const file of ruleFiles()) {
      const runbooks = [...readFileSync(file, "utf8").matchAll(/runbook: ([^#]+)#(\S+)/g)];
      const names = alertNames(readFileSync(file, "utf8")).map((name) => name.toLowerCase());
      assert.deepEqual(
        runbooks.map(([, path, anchor]) => [path, anchor]),
        names.map((name) => [page, name]),
      );
      assert.ok(names.every((name) => anchors.has(name)));
    }
  });
});

describe("The test of alert rules", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "rules-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("finds an expression that is not valid", async () => {
    const file = join(folder, "rules.yml");
    writeFileSync(file, "groups: [{ name: g, rules: [{ alert: A, expr: 'sum(' }] }]\n");
    await assert.rejects(promtool(["check", "rules", file]), /parse error/);
  });

  it("finds an alert that does not fire when it should", async () => {
    const broken = readFileSync(join(RULES_FOLDER, "alerts.yml"), "utf8").replace(
      "age_seconds) > 300",
      "age_seconds) > 900",
    );
    writeFileSync(join(folder, "alerts.yml"), broken);
    const test = `rule_files: [alerts.yml]
tests:
  - interval: 1m
    input_series:
      - { series: pipeline_oldest_unacknowledged_message_age_seconds, values: 600x20 }
    alert_rule_test:
      - { alertname: EventloggerLag, eval_time: 15m, exp_alerts: [{ exp_labels: { severity: critical } }] }
`;
    writeFileSync(join(folder, "lag.test.yml"), test);
    await assert.rejects(promtool(["test", "rules", join(folder, "lag.test.yml")]), /FAILED[\s\S]*got:\[\]/);
  });
});
