import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** nginx on the path, or in the folders of Debian and Homebrew that may be missing from it. */
export function findNginx(path = process.env.PATH ?? ""): string | undefined {
  const dirs = [...path.split(delimiter).filter(Boolean), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"];
  return dirs.map((dir) => join(dir, "nginx")).find((file) => existsSync(file));
}
