import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Progress } from "@eventlogger/options/progress";
import { repositoryRoot } from "@eventlogger/process/packageRoot";

/** Runs a tool of node_modules; @returns what it printed when it failed, otherwise undefined */
function runTool(file: string, args: readonly string[]): Promise<string | undefined> {
  const child = spawn(process.execPath, [join(repositoryRoot, "node_modules", file), ...args], {
    cwd: repositoryRoot,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code === 0 ? undefined : output.trimEnd() || `exit code ${code}`));
  });
}

/** Checks all files with eslint and prettier, and prints what they report; @returns whether there was nothing to report */
export async function checkStyle(progress: Progress): Promise<boolean> {
  const check = async (name: string, file: string, args: readonly string[]): Promise<boolean> => {
    const problems = await progress.step(name, () => runTool(file, args));
    if (problems !== undefined) progress.print(`\n== ${name} failed\n${problems}\n`);
    return problems === undefined;
  };
  const lint = await check("eslint", join("eslint", "bin", "eslint.js"), ["."]);
  const format = await check("prettier", join("prettier", "bin", "prettier.cjs"), ["--check", "--log-level=warn", "."]);
  return lint && format;
}
