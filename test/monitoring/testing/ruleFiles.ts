import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { findProgram } from "./programs";

/** The folder of the rules for Prometheus and of their tests. */
export const RULES_FOLDER = join(repositoryRoot, "docs", "operations", "prometheus");

const isTest = (name: string): boolean => name.endsWith(".test.yml");
const files = (): string[] => readdirSync(RULES_FOLDER).filter((name) => name.endsWith(".yml"));

/** The files of rules, absolute paths. */
export const ruleFiles = (): string[] =>
  files()
    .filter((name) => !isTest(name))
    .map((name) => join(RULES_FOLDER, name));

/** The files of tests for `promtool test rules`, absolute paths. */
export const ruleTests = (): string[] =>
  files()
    .filter(isTest)
    .map((name) => join(RULES_FOLDER, name));

/** Runs promtool. @throws Error with its output when it finds something */
export async function promtool(args: readonly string[]): Promise<string> {
  try {
    const { stdout, stderr } = await promisify(execFile)(findProgram("promtool"), [...args], { timeout: 300_000 });
    return stdout + stderr;
  } catch (error) {
    const { stdout = "", stderr = "", message } = error as Error & { stdout?: string; stderr?: string };
    throw new Error(`promtool ${args.slice(0, 2).join(" ")} failed: ${stdout}${stderr}` || message);
  }
}
