import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { cacheDir } from "@eventlogger/process/packageRoot";

const GRPC_API = "grpc-api-1.68.1.jar";

/**
 * Emulator 0.8.20 contains gRPC libraries of two versions. When a client disconnects abruptly, its server throws
 * NoSuchMethodError (`InternalStatus.asRuntimeException`) instead of closing the stream. It then delivers messages to the
 * dead stream repeatedly, each time for a whole ack deadline, so that redelivery after a kill takes minutes. With the
 * grpc-api version of its grpc-core first on the classpath, redelivery takes one deadline.
 *
 * @returns jars for the start of the classpath, downloaded by Maven once; none for other versions of the emulator
 */
export async function pubSubEmulatorPatch(emulatorJar: string): Promise<string[]> {
  if (!/-0\.8\.20-all\.jar$/.test(basename(emulatorJar))) return [];
  const directory = join(cacheDir, "pubsub-emulator-patch");
  const jar = join(directory, GRPC_API);
  if (!existsSync(jar)) {
    await mkdir(directory, { recursive: true });
    const fetched = await mkdtemp(join(directory, "fetching-"));
    const artifact = "io.grpc:grpc-api:1.68.1";
    const plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy";
    await promisify(execFile)("mvn", ["-q", "-B", plugin, `-Dartifact=${artifact}`, `-DoutputDirectory=${fetched}`]);
    await rename(join(fetched, GRPC_API), jar);
    await rm(fetched, { recursive: true, force: true });
  }
  return [jar];
}
