import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** nginx on the path, or where Debian puts it, which is not on the path of ordinary users. */
export function findNginx(path = process.env.PATH ?? ""): string | undefined {
  const dirs = [...path.split(delimiter).filter(Boolean), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"];
  return dirs.map((dir) => join(dir, "nginx")).find((file) => existsSync(file));
}
