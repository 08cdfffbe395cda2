import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import path = require("node:path");

/** Maven could not assemble the Java parts; the message carries the end of its output. */
export class ClasspathError extends Error {
  constructor(output: string, exitCode: number | null) {
    super(
      `Maven could not assemble the Flink job server (exit code ${exitCode}). ` +
        `Is Maven installed and can it reach its repository? Its last words:\n${output.split("\n").slice(-15).join("\n")}`,
    );
    this.name = "ClasspathError";
  }
}

export interface ClasspathOptions {
  /** Folder that keeps assembled classpaths, one for each version of the pom and the Java sources. */
  readonly cacheDir: string;
  /** Told once when there is something to download, and what Maven says while it works. */
  readonly onProgress?: (line: string) => void;
}

const SOURCE_DIR = path.join(__dirname, "../../../../pipeline/beam/flink");

/** The files that decide what is assembled. */
function sources(): string[] {
  const java = readdirSync(path.join(SOURCE_DIR, "java"), { recursive: true, encoding: "utf8" });
  const classes = java.filter((name) => name.endsWith(".java")).sort();
  return [path.join(SOURCE_DIR, "pom.xml"), ...classes.map((name) => path.join(SOURCE_DIR, "java", name))];
}

function run(command: string, args: readonly string[], onLine: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const take = (chunk: Buffer): void => {
      const text = chunk.toString();
      output += text;
      for (const line of text.split("\n")) if (line.trim()) onLine(line.trim());
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("error", (cause) => reject(new Error(`Cannot run ${command}: ${cause.message}`, { cause })));
    child.once("close", (code) => (code === 0 ? resolve() : reject(new ClasspathError(output, code))));
  });
}

/**
 * Assembles the classpath of the Flink job server with Maven, once; later calls find it. The folder appears whole or not
 * at all, so an interrupted download is not taken for a good one.
 *
 * @returns the Java classpath
 * @throws ClasspathError
 */
export async function ensureFlinkClasspath(options: ClasspathOptions): Promise<string> {
  const hash = createHash("sha256");
  for (const file of sources()) hash.update(readFileSync(file));
  const target = path.join(options.cacheDir, `flink-job-server-${hash.digest("hex").slice(0, 12)}`);
  if (!existsSync(path.join(target, "complete"))) {
    const progress = options.onProgress ?? (() => {});
    progress("assembling the Flink job server with Maven (about 150 MB, once)");
    mkdirSync(options.cacheDir, { recursive: true });
    const building = `${target}.${process.pid}`;
    rmSync(building, { recursive: true, force: true });
    const pom = path.join(SOURCE_DIR, "pom.xml");
    await run(
      "mvn",
      [
        "--batch-mode",
        "--file",
        pom,
        `-DbuildDirectory=${building}`,
        "package",
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        `-DoutputDirectory=${path.join(building, "lib")}`,
      ],
      (line) => {
        if (/^\[(WARNING|ERROR)\]|^Downloaded/.test(line)) progress(line);
      },
    );
    writeFileSync(path.join(building, "complete"), "");
    try {
      renameSync(building, target);
    } catch (error) {
      if (!existsSync(path.join(target, "complete"))) throw error; // else another process was first
      rmSync(building, { recursive: true, force: true });
    }
  }
  // What this library compiles itself comes before Beam's own jars.
  return [path.join(target, "classes"), path.join(target, "lib", "*")].join(path.delimiter);
}
