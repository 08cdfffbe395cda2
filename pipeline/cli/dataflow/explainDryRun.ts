import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Step } from "../../runners/dataflow/update/step";
import { jobSettings, type LaunchOptions } from "./launchOptions";
import { formatBytes, type StagedFile } from "./stagingProgress";

/** The part of a job's JSON that is explained. */
interface JobJson {
  readonly type?: string;
  readonly environment?: {
    readonly workerPools?: readonly {
      readonly sdkHarnessContainerImages?: readonly { readonly containerImage: string }[];
    }[];
  };
}

const plural = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;

function workers({ numWorkers, maxWorkers, workerMachineType, autoscaling, publicIps, ...o }: LaunchOptions): string {
  const range = [
    ...(numWorkers === undefined ? [] : [`${numWorkers} at the start`]),
    ...(maxWorkers === undefined ? [] : [`at most ${maxWorkers}`]),
    ...(autoscaling === "none" ? ["a fixed number"] : []),
  ];
  const network = o.subnetwork ?? o.network;
  return [
    `${range.join(", ") || "as many as Dataflow finds right"}, of ${workerMachineType ?? "Dataflow's default machine type"}`,
    ...(o.diskSizeGb === undefined ? [] : [`${o.diskSizeGb} GB of disk each`]),
    ...(network === undefined ? [] : [`in ${network}`]),
    ...(publicIps === false ? ["without public addresses"] : []),
    `as ${o.serviceAccount ?? "the project's default service account for Compute Engine"}`,
  ].join("; ");
}

/** What a dry run says: what would be created, in words. */
export function explainDryRun(
  o: LaunchOptions,
  {
    dir,
    files,
    steps,
    update,
  }: {
    readonly dir: string;
    readonly files: readonly StagedFile[];
    readonly steps: readonly Step[];
    readonly update: boolean;
  },
): string[] {
  const job = JSON.parse(readFileSync(join(dir, "job.json"), "utf8")) as JobJson;
  const pools = job.environment?.workerPools ?? [];
  const images = pools.flatMap((pool) => pool.sdkHarnessContainerImages ?? []).map((image) => image.containerImage);
  const { stagingLocation, tempLocation } = jobSettings(o);
  const kind = job.type === "JOB_TYPE_STREAMING" ? "streaming" : "batch";
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const keeping = steps.filter((step) => step.keeps);
  return [
    "dry run: nothing was submitted, and nothing was asked of Google's services",
    "",
    `job       ${kind} job ${o.jobName} in ${o.region}, project ${o.project}` +
      (update ? ", which takes over the state of the running job of that name and replaces it" : ""),
    `reads     subscription ${o.subscription}`,
    `writes    ${o.dataset}.events (${o.eventsSemantics}), ${o.dataset}.daily_rollup_versions and ${o.dataset}.dead_letters`,
    `workers   ${workers(o)}`,
    ...[...images].sort().map((image) => `image     ${image}`),
    `stages    ${plural(files.length, "file")}, ${formatBytes(bytes)}, under ${stagingLocation}; temporary files under ${tempLocation}`,
    `steps     ${steps.length}, of which ${keeping.length} keep something by their name; renaming one needs a mapping at the update:`,
    ...keeping.map(({ name, keeps }) => `          ${name} (${keeps})`),
    "",
    `written   ${join(dir, "job.json")}, ${join(dir, "pipeline.pb")}`,
  ];
}
