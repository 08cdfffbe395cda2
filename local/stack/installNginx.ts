import { spawnSync } from "node:child_process";
import { findNginx } from "./nginx";

/** Installs nginx with apt-get where that is possible without asking anybody; says so where it is not. */
export function ensureNginx(say: (line: string) => void): void {
  if (findNginx()) return;
  const hint = "apt-get install nginx-light";
  if (process.getuid?.() !== 0 || spawnSync("apt-get", ["--version"]).status !== 0) {
    say(`nginx is not installed (${hint}): tests that need it will fail`);
    return;
  }
  say("installing nginx");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [["update"], ["install", "--yes", "--no-install-recommends", "nginx-light"]]) {
    const { status, stderr } = spawnSync("apt-get", args, { env, encoding: "utf8" });
    if (status !== 0) {
      say(`apt-get ${args.join(" ")} failed: ${stderr.trim().split("\n").at(-1)}`);
      return;
    }
  }
}
