import path = require("node:path");
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { ensureMavenBuild, type ClasspathOptions } from "../java/mavenBuild";

/**
 * Assembles the classpath of the Flink job server with Maven, once; later calls find it.
 *
 * @returns the Java classpath
 * @throws ClasspathError
 */
export async function ensureFlinkClasspath(options: ClasspathOptions): Promise<string> {
  const directory = await ensureMavenBuild(
    {
      name: "flink-job-server",
      what: "the Flink job server",
      downloads: "about 150 MB",
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
  // What this library compiles itself comes before Beam's own jars.
  return [path.join(directory, "classes"), path.join(directory, "lib", "*")].join(path.delimiter);
}
