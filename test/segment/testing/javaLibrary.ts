import path from "node:path";
import { ensureMavenBuild } from "@eventlogger/beam/java/mavenBuild";
import { javaCommand } from "@eventlogger/gcp/emulators/javaCommand";
import { cacheDir, repositoryRoot } from "@eventlogger/process/packageRoot";
import { runSender, type Sender } from "./sender";

/** The classpath of the program with com.segment.analytics.java. Builds it with Maven when it is missing. */
export async function ensureJavaLibrary(onProgress?: (line: string) => void): Promise<string> {
  const directory = await ensureMavenBuild(
    {
      name: "segment-java",
      what: "the sender with Segment's Java library",
      downloads: "about 10 MB",
      sourceDir: path.join(repositoryRoot, "test", "segment", "java"),
      goals: (buildDirectory) => [
        "package",
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        `-DoutputDirectory=${path.join(buildDirectory, "lib")}`,
      ],
    },
    { cacheDir, ...(onProgress && { onProgress }) },
  );
  return [path.join(directory, "classes"), path.join(directory, "lib", "*")].join(path.delimiter);
}

/** Sends with com.segment.analytics.java. */
export const sendWithJava: Sender = async (task) =>
  runSender("java", javaCommand(), ["-Xmx128m", "-cp", await ensureJavaLibrary(), "SendCalls"], task);
