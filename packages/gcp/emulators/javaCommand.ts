import { existsSync } from "node:fs";
import { join } from "node:path";

/** The `java` of JAVA_HOME if it exists, otherwise the one on the PATH. */
export function javaCommand(): string {
  const home = process.env["JAVA_HOME"];
  const java = home && join(home, "bin", "java");
  return java && existsSync(java) ? java : "java";
}
