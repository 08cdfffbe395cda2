import path from "node:path";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { ensureMavenBuild, type ClasspathOptions } from "../java/mavenBuild";

/**
 * Builds the classpath of the Flink job server with Maven, once; later calls return the same classpath.
 *
 * @returns the Java classpath; its first entry are the classes of this library
 * @throws ClasspathError when Maven fails; Error when Maven cannot be run
 */
export async function ensureFlinkClasspath(options: ClasspathOptions): Promise<string> {
  const directory = await ensureMavenBuild(
    {
      name: "flink-job-server",
      what: "the Flink job server",
      downloads: "about 200 MB",
      sourceDir: path.join(packageRootOf(__filename), "flink"),
      goals: (buildDirectory) => [
        "package",
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        `-DoutputDirectory=${path.join(buildDirectory, "lib")}`,
      ],
    },
    options,
  );
  // The classes of this library replace classes of the same names in Beam's jars.
  // A jar, not a folder: a cluster gets the files of this classpath with each job, in this order.
  return [path.join(directory, "flink-job-server-1.jar"), path.join(directory, "lib", "*")].join(path.delimiter);
}
