import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Maven could not build the Java classes. The message contains the end of its output. */
export class ClasspathError extends Error {
  constructor(what: string, output: string, exitCode: number | null) {
    super(
      `Maven could not build ${what} (exit code ${exitCode}). ` +
        `Check that Maven can reach its repository. The end of its output:\n${output.split("\n").slice(-15).join("\n")}`,
    );
    this.name = "ClasspathError";
  }
}

export interface ClasspathOptions {
  /** Folder for the builds; one subfolder for each version of the pom and the Java sources. */
  readonly cacheDir: string;
  /** Receives a line when a build starts, then the number of downloaded files at most every two seconds, and Maven's errors. */
  readonly onProgress?: (line: string) => void;
}

export interface MavenProject {
  /** Name of the folder in the cache. */
  readonly name: string;
  /** What is built, for messages: `the Flink job server`. */
  readonly what: string;
  /** Size of the downloads of a first build, for messages. */
  readonly downloads: string;
  /** Folder with the sources in `java/` and a `pom.xml`, whose property `buildDirectory` is the build directory. */
  readonly sourceDir: string;
  /** Maven's goals and properties for a build into the given folder. */
  readonly goals: (buildDirectory: string) => readonly string[];
}

/** The files that the build depends on. */
function sources({ sourceDir }: MavenProject): string[] {
  const java = readdirSync(path.join(sourceDir, "java"), { recursive: true, encoding: "utf8" });
  const classes = java.filter((name) => name.endsWith(".java")).sort();
  return [path.join(sourceDir, "pom.xml"), ...classes.map((name) => path.join(sourceDir, "java", name))];
}

const PROGRESS_INTERVAL_MS = 2000;

/** Turns the lines of Maven into lines of progress: its errors, and how many files it has downloaded. */
function mavenProgress(onProgress: (line: string) => void): (line: string) => void {
  let downloaded = 0;
  let reportedAt = performance.now();
  return (line) => {
    if (line.startsWith("[ERROR]")) onProgress(line);
    const [, url] = /^(?:\[INFO\] )?Downloaded from [^:]+: (\S+)/.exec(line) ?? [];
    if (url === undefined) return;
    downloaded++;
    if (performance.now() - reportedAt < PROGRESS_INTERVAL_MS) return;
    reportedAt = performance.now();
    onProgress(`downloaded ${downloaded} files (${path.posix.basename(url)})`);
  };
}

function runMaven(what: string, args: readonly string[], onLine: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("mvn", ["--batch-mode", ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const take = (chunk: Buffer): void => {
      const text = chunk.toString();
      output += text;
      for (const line of text.split("\n")) if (line.trim()) onLine(line.trim());
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("error", (cause) =>
      reject(new Error(`Cannot run Maven (mvn), which builds ${what}. Install it. ${cause.message}`, { cause })),
    );
    child.once("close", (code) => (code === 0 ? resolve() : reject(new ClasspathError(what, output, code))));
  });
}

/**
 * Builds a Maven project once; later calls return the same folder. A build is renamed when it is complete, so that an
 * interrupted build is never used.
 *
 * @returns the build directory
 * @throws ClasspathError when Maven fails; Error when Maven cannot be run
 */
export async function ensureMavenBuild(project: MavenProject, options: ClasspathOptions): Promise<string> {
  const hash = createHash("sha256");
  for (const file of sources(project)) hash.update(readFileSync(file));
  // Maven resolves a relative path against the folder of the pom.
  const target = path.resolve(options.cacheDir, `${project.name}-${hash.digest("hex").slice(0, 12)}`);
  if (existsSync(path.join(target, "complete"))) return target;
  const progress = options.onProgress ?? (() => {});
  progress(`building ${project.what} with Maven (${project.downloads}, once)`);
  mkdirSync(options.cacheDir, { recursive: true });
  const building = `${target}.${process.pid}`;
  rmSync(building, { recursive: true, force: true });
  const pom = path.join(project.sourceDir, "pom.xml");
  await runMaven(
    project.what,
    ["--file", pom, `-DbuildDirectory=${building}`, ...project.goals(building)],
    mavenProgress(progress),
  );
  writeFileSync(path.join(building, "complete"), "");
  try {
    renameSync(building, target);
  } catch (error) {
    if (!existsSync(path.join(target, "complete"))) throw error; // otherwise another process was first
    rmSync(building, { recursive: true, force: true });
  }
  return target;
}
