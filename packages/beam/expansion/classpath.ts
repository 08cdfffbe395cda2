import path = require("node:path");
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { ensureMavenBuild, type ClasspathOptions } from "../java/mavenBuild";

/**
 * Builds the Java expansion service with Maven, once; later calls find it. It is one jar, because everything on its
 * classpath is what a runner stages for the Java workers: one upload, recognised by its hash, instead of 300.
 *
 * @returns the Java classpath
 * @throws ClasspathError
 */
export async function ensureExpansionClasspath(options: ClasspathOptions): Promise<string> {
  const directory = await ensureMavenBuild(
    {
      name: "expansion-service",
      what: "the Java expansion service",
      downloads: "about 180 MB",
      sourceDir: path.join(packageRootOf(__filename), "expansion"),
      goals: () => ["package"],
    },
    options,
  );
  return path.join(directory, "expansion-service.jar");
}
