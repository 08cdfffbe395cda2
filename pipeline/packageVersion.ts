import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The version of this package, as in its package.json. */
export function packageVersion(): string {
  // This file is compiled to dist/pipeline/.
  const text = readFileSync(join(__dirname, "..", "..", "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
