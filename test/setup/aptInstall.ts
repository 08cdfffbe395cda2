import { spawn, spawnSync } from "node:child_process";
import type { OnProgress } from "@eventlogger/options/progress";

/** Runs apt-get; @returns the last line of its output when it fails */
function aptGet(args: readonly string[], onProgress: OnProgress): Promise<string | undefined> {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const child = spawn("apt-get", args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let lastLine = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      const line = chunk.trim().split("\n").at(-1)?.trim();
      if (line) onProgress((lastLine = line));
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code === 0 ? undefined : lastLine));
  });
}

/**
 * Installs a Debian package with apt-get where that needs no password; otherwise prints how to install it.
 * @param without what happens without the package, such as `tests that need it fail`
 * @param print gets a line that the user must see when the package is not installed
 */
export async function aptInstall(
  name: string,
  without: string,
  onProgress: OnProgress,
  print: (line: string) => void,
): Promise<void> {
  if (process.getuid?.() !== 0 || spawnSync("apt-get", ["--version"]).status !== 0) {
    print(`${name} is not installed (apt-get install ${name}): ${without}`);
    return;
  }
  for (const args of [["update"], ["install", "--yes", "--no-install-recommends", name]]) {
    onProgress(`apt-get ${args.join(" ")}`);
    const problem = await aptGet(args, onProgress);
    if (problem !== undefined) {
      print(`apt-get ${args.join(" ")} failed: ${problem}; ${without}`);
      return;
    }
  }
}
