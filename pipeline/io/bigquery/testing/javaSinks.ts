import { ensureExpansionClasspath, startExpansionService } from "@eventlogger/beam";
import type { FlinkHarness } from "@eventlogger/beam/testing/flinkHarness";
import { cacheDir } from "@eventlogger/process/packageRoot";
import type { EmulatorFixture } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { startGoogleEndpoint } from "@eventlogger/gcp/bigquery/testing/googleEndpoint";

/** Beam's Java sinks. One process expands and runs them; they write to an emulator. */
export interface JavaSinks {
  /** `host:port` of the expansion service. */
  readonly address: string;
  stop(): Promise<void>;
}

/** Starts the sinks. Stop them only after the job that uses them has ended. Logs to `expansion.log` of the harness. */
export async function startJavaSinks({ project, emulator }: EmulatorFixture, flink: FlinkHarness): Promise<JavaSinks> {
  const classpath = await ensureExpansionClasspath({ cacheDir });
  const endpoint = await startGoogleEndpoint(emulator, flink.directory);
  try {
    const service = await startExpansionService({
      classpath,
      logFile: flink.file("expansion.log"),
      loopbackWorker: true,
      heap: "700m",
      // The process lives for a minute, too short to benefit from optimised code.
      jvmArgs: ["-XX:TieredStopAtLevel=1", ...endpoint.jvmArgs],
      args: [
        `--bigQueryEndpoint=${endpoint.url}`,
        `--project=${project}`,
        "--credentialFactoryClass=org.apache.beam.sdk.extensions.gcp.auth.NoopCredentialFactory",
        `--tempLocation=${flink.file("temp")}`,
      ],
    });
    return {
      address: service.address,
      stop: async () => {
        await service.stop();
        await endpoint.stop();
      },
    };
  } catch (error) {
    await endpoint.stop();
    throw error;
  }
}
