import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { traceModules } from "@eventlogger/tools/images/modules";
import { readWorkspaces } from "@eventlogger/tools/images/workspaces";
import { DECLARED_SOURCES, neededSteps, STEPS_OF_PROGRAMS } from "./setUpSteps";
import { findTestFiles, isUnitTest, moduleName } from "./testFiles";

/** Source text that runs a program of this repository, or nginx, or another test file. */
const RUNS_PROGRAM = /["/](eventlogger|main)\.js"|spawn(Sync)?\("(npm", \["run|nginx)"|require\.resolve\("\.\//;

const steps = (...files: string[]): string[] => [...neededSteps(repositoryRoot, files)].sort();

describe("Set-up of tests", () => {
  it("unit tests need no set-up", () => {
    const unit = findTestFiles(repositoryRoot).filter(isUnitTest);
    assert.ok(unit.length > 80);
    assert.deepEqual(steps(...unit), []);
  });

  it("a component test needs what it imports, also through other packages", () => {
    assert.deepEqual(steps("packages/gcp/bigquery/setup/setUpBigQuery.component.test.ts"), [
      "BigQuery emulator",
      "emulator programs",
    ]);
    assert.deepEqual(steps("pipeline/runners/dataflow/submitter/submit.component.test.ts"), [
      "Dataflow submitter",
      "Flink job server",
      "expansion service",
    ]);
    assert.ok(steps("test/images/standIn.component.test.ts").includes("boot program"));
    assert.ok(steps("test/client/browser.component.test.ts").includes("Chromium"));
    assert.deepEqual(steps("test/monitoring/rules.component.test.ts"), ["Prometheus"]);
  });

  it("a component test needs what the programs that it starts need", () => {
    const stack = ["BigQuery emulator", "Flink job server", "emulator programs", "nginx"];
    assert.deepEqual(steps("local/up.component.test.ts"), stack);
    assert.deepEqual(steps("test/tier/nginx.component.test.ts"), ["BigQuery emulator", "emulator programs", "nginx"]);
  });

  it("a component test without emulators and programs needs no set-up", () => {
    assert.deepEqual(steps("packages/gcp/storage/setUpBucket.component.test.ts"), []);
  });

  it("every source file that the set-up table names exists", () => {
    assert.deepEqual(
      DECLARED_SOURCES.filter((file) => !existsSync(join(repositoryRoot, file))),
      [],
    );
  });

  it("every file that starts a program of the repository for a component test is in the set-up table", () => {
    const workspaces = readWorkspaces(repositoryRoot);
    const tests = findTestFiles(repositoryRoot).filter((file) => !isUnitTest(file));
    const entries = tests.map((file) => moduleName(workspaces, file));
    const sources = traceModules(repositoryRoot, workspaces, entries)
      .files.map((file) => file.replace("/dist/", "/").replace(/js$/, "ts"))
      .filter((file) => existsSync(join(repositoryRoot, file)))
      .filter((file) => RUNS_PROGRAM.test(readFileSync(join(repositoryRoot, file), "utf8")));
    assert.ok(sources.includes("local/stack/stack.ts"));
    assert.deepEqual(
      sources.filter((file) => !(file in STEPS_OF_PROGRAMS)),
      [],
    );
  });
});
