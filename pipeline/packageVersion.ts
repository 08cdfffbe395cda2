import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRootOf } from "@eventlogger/process/packageRoot";

/** The version in this package's package.json. */
export function packageVersion(): string {
  const text = readFileSync(join(packageRootOf(__filename), "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
