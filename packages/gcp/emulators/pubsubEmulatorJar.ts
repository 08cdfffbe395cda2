import { existsSync, readdirSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { tryCommand } from "@eventlogger/process/tryCommand";

function jarUnder(sdkRoot: string): string | undefined {
  const lib = join(sdkRoot, "platform", "pubsub-emulator", "lib");
  if (!existsSync(lib)) return undefined;
  const jars = readdirSync(lib).filter((file) => /^cloud-pubsub-emulator-.*\.jar$/.test(file));
  const newest = jars.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).pop();
  return newest && join(lib, newest);
}

/** The root of the SDK whose `gcloud` is on the PATH. Does not run gcloud. */
function rootOfGcloudOnPath(): string | undefined {
  for (const dir of (process.env["PATH"] ?? "").split(delimiter)) {
    const gcloud = join(dir, "gcloud");
    if (dir && existsSync(gcloud)) return dirname(dirname(realpathSync(gcloud)));
  }
  return undefined;
}

async function searchJar(): Promise<string | undefined> {
  const roots = [
    rootOfGcloudOnPath(),
    process.env["CLOUDSDK_ROOT_DIR"],
    "/usr/lib/google-cloud-sdk",
    "/usr/lib64/google-cloud-sdk",
    "/usr/share/google-cloud-sdk",
    "/usr/local/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/opt/google-cloud-cli",
    "/snap/google-cloud-cli/current",
    "/opt/homebrew/share/google-cloud-sdk",
    "/usr/local/share/google-cloud-sdk",
    join(homedir(), "google-cloud-sdk"),
  ];
  for (const root of roots) {
    const jar = root && jarUnder(root);
    if (jar) return jar;
  }
  // Last, because gcloud takes seconds.
  const { code, output } = await tryCommand("gcloud", ["info", "--format=value(installation.sdk_root)"], 60_000);
  return code === 0 ? jarUnder(output.trim().split("\n").pop() ?? "") : undefined;
}

let foundJar: Promise<string | undefined> | undefined;

/** The path of the jar of Google's Pub/Sub emulator; undefined when it is not installed. Searched once per process. */
export function findPubSubEmulatorJar(): Promise<string | undefined> {
  foundJar ??= searchJar();
  return foundJar;
}
