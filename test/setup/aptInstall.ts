import { spawnSync } from "node:child_process";

/**
 * Installs a Debian package with apt-get where that is possible without asking anybody; says so where it is not.
 * @param without what the absence of the package means, for the message, such as `tests that need it will fail`
 */
export function aptInstall(name: string, without: string, say: (line: string) => void): void {
  if (process.getuid?.() !== 0 || spawnSync("apt-get", ["--version"]).status !== 0) {
    say(`${name} is not installed (apt-get install ${name}): ${without}`);
    return;
  }
  say(`installing ${name}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [["update"], ["install", "--yes", "--no-install-recommends", name]]) {
    const { status, stderr } = spawnSync("apt-get", args, { env, encoding: "utf8" });
    if (status !== 0) {
      say(`apt-get ${args.join(" ")} failed: ${stderr.trim().split("\n").at(-1)}; ${without}`);
      return;
    }
  }
}
