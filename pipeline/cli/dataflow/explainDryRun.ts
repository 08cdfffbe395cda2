import { readFileSync } from "node:fs";
import { join } from "node:path";
import { tableByName } from "@eventlogger/gcp/bigquery/tables";
import type { Step } from "../../runners/dataflow/update/step";
import type { JobTarget } from "./jobTarget";
import { jobSettings, type LaunchOptions } from "./launchOptions";
import { formatBytes, type StagedFile } from "./stagingProgress";

/** The part of job.json that is explained. */
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
    ...(numWorkers === undefined ? [] : [`${numWorkers} initially`]),
    ...(maxWorkers === undefined ? [] : [`at most ${maxWorkers}`]),
    ...(autoscaling === "none" ? ["a fixed number"] : []),
  ];
  const network = o.subnetwork ?? o.network;
  return [
    `${range.join(", ") || "number chosen by Dataflow"}, machine type ${workerMachineType ?? "chosen by Dataflow"}`,
    o.sdkWorkers === "1" ? "one SDK process each" : "an SDK process per vCPU",
    ...(o.diskSizeGb === undefined ? [] : [`disks of ${o.diskSizeGb} GB`]),
    ...(network === undefined ? [] : [`network ${network}`]),
    ...(publicIps === false ? ["no public IP addresses"] : []),
    `service account ${o.serviceAccount ?? "Compute Engine default"}`,
  ].join("; ");
}

/** Explains the job that a dry run would have created. */
export function explainDryRun(
  o: LaunchOptions,
  {
    target: { subscription, replaySubscription },
    dir,
    files,
    steps,
    update,
  }: {
    readonly target: JobTarget;
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
  const others = Object.keys(tableByName).filter((name) => name !== "events");
  const stateful = steps.filter((step) => step.keeps);
  return [
    "dry run: nothing was submitted, and no Google service was called",
    "",
    `job       ${kind} job ${o.jobName} in ${o.region}, project ${o.project}` +
      (update ? ", replaces the running job of this name and takes over its state" : ""),
    `reads     subscriptions ${subscription} and ${replaySubscription}`,
    `writes    ${o.dataset}.events (${o.eventsSemantics}), and ${others.map((name) => `${o.dataset}.${name}`).join(", ")}`,
    `workers   ${workers(o)}`,
    ...[...images].sort().map((image) => `image     ${image}`),
    `stages    ${plural(files.length, "file")}, ${formatBytes(bytes)}, under ${stagingLocation}; temporary files under ${tempLocation}`,
    `steps     ${steps.length}, of which ${stateful.length} keep state by their name; an update must map their names if they change:`,
    ...stateful.map(({ name, keeps }) => `          ${name} (${keeps})`),
    "",
    `written   ${["job.json", "pipeline.pb", "graph.dot"].map((name) => join(dir, name)).join(", ")}`,
    `graph     open ${join(dir, "graph.html")} in a browser to see the steps and how elements flow between them`,
  ];
}
