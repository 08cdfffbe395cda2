import path from "node:path";
import { cacheDir, packageRootOf } from "@eventlogger/process/packageRoot";
import { ensureMavenBuild } from "@eventlogger/beam/java/mavenBuild";
import { CHECKPOINT_INTERVAL_MS, MAX_BUNDLE_SIZE, MAX_BUNDLE_TIME_MS } from "../pipeline/benchPipeline";
import type { BeamVersion, Conditions, Contender, ContenderName } from "./contender";
import { runPeer } from "./peerProcess";

/** Packages that Flink and Beam access by reflection. Java 17 requires that they are opened explicitly. */
const OPENED_PACKAGES = [
  "java.lang",
  "java.util",
  "java.time",
  "java.lang.reflect",
  "java.util.concurrent",
  "java.util.concurrent.atomic",
  "java.net",
  "java.io",
  "java.text",
  "java.nio",
  "sun.nio.ch",
];

/** Flags of a JVM with Beam and Flink. @param heap as for `-Xmx` */
export function javaFlags(heap: string): string[] {
  return [
    `-Xmx${heap}`,
    "-XX:+ExitOnOutOfMemoryError",
    ...OPENED_PACKAGES.map((opened) => `--add-opens=java.base/${opened}=ALL-UNNAMED`),
  ];
}

/** A source that has read everything stays open this long, so that checkpoints go on, ms. */
const IDLE_MS = 1_000_000_000;

/** The classpath of the Java program, which also contains Beam's Flink job server of the version. */
export async function ensureJavaPeer({ beamVersion, onProgress }: Conditions): Promise<string> {
  const directory = await ensureMavenBuild(
    {
      name: `beam-java-peer-${beamVersion}`,
      what: `the Beam Java ${beamVersion} peer`,
      downloads: "about 150 MB",
      sourceDir: path.join(packageRootOf(__filename), "peers", "java"),
      goals: (buildDirectory) => [
        `--activate-profiles=beam-${beamVersion}`,
        "package",
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        `-DoutputDirectory=${path.join(buildDirectory, "lib")}`,
      ],
    },
    { cacheDir, onProgress },
  );
  return [path.join(directory, "classes"), path.join(directory, "lib", "*")].join(path.delimiter);
}

/**
 * The Beam Java program. `fasterCopy` lets Flink pass elements between chained steps without copying them. It is on where it
 * is safe: our own state is never changed in place. Beam's session windows change theirs, and a checkpoint that copies them
 * meanwhile fails the job.
 */
export function javaContender(name: ContenderName, usesSessionWindows: boolean): Contender {
  const flink: Record<BeamVersion, string> = { "2.49": "1.15", "2.70": "1.19" };
  return {
    name,
    describe: `Beam Java on embedded Flink, pre-combined bundles, ${usesSessionWindows ? "session windows" : "no session windows, fasterCopy"}`,
    prepare: async (conditions) => void (await ensureJavaPeer(conditions)),
    run: async (traffic, conditions, cleanup, directory) => {
      const classpath = await ensureJavaPeer(conditions);
      const options = {
        runner: "FlinkRunner",
        messages: traffic.messages,
        events: traffic.events,
        expected: traffic.expectedFile,
        sessionWindows: usesSessionWindows,
        earlyMs: conditions.earlyMs,
        parallelism: 1,
        checkpointingInterval: CHECKPOINT_INTERVAL_MS,
        maxBundleSize: MAX_BUNDLE_SIZE,
        maxBundleTimeMills: MAX_BUNDLE_TIME_MS,
        shutdownSourcesAfterIdleMs: IDLE_MS,
        stateBackend: "filesystem",
        stateBackendStoragePath: `file://${path.join(directory, "checkpoints")}`,
        fasterCopy: !usesSessionWindows,
      };
      return runPeer(
        {
          name,
          events: traffic.events,
          limitMs: conditions.limitMs,
          onProgress: conditions.onProgress,
          isJvm: true,
          process: {
            name: `Beam Java ${conditions.beamVersion} with Flink ${flink[conditions.beamVersion]}`,
            command: "java",
            args: [
              ...javaFlags(conditions.heap),
              "-cp",
              classpath,
              "peer.Main",
              ...Object.entries(options).map(([option, value]) => `--${option}=${value}`),
            ],
            logFile: path.join(directory, "java.log"),
          },
        },
        cleanup,
      );
    },
  };
}
