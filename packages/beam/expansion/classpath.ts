import path from "node:path";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { ensureMavenBuild, type ClasspathOptions } from "../java/mavenBuild";

/**
 * Builds the Java expansion service with Maven, once; later calls return the same jar. It is a single jar because a runner
 * stages everything on its classpath for the Java workers: one upload, identified by its hash, instead of 300.
 *
 * @returns the Java classpath
 * @throws ClasspathError when Maven fails; Error when Maven cannot be run
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
