import { bigqueryOptions, pubsubOptions } from "@eventlogger/gcp/gcpOptions";
import { wholeNumber, type Options, type OptionSpecs } from "@eventlogger/options/options";
import { parseGsUrl } from "@eventlogger/gcp/storage/client";
import type { JobSettings } from "../../runners/dataflow/submitter/beamFlags";
import { jsonOption } from "../output";
import { definitionOptions } from "../definitionOptions";
import { numberOptions } from "../numberOptions";
import { jobName, locationOptions } from "./jobOptions";

const gsUrl = (url: string): string | undefined =>
  parseGsUrl(url) ? undefined : "must be a location in Cloud Storage such as gs://bucket/folder";

const IMAGE = /^[a-z0-9][a-z0-9.:/_-]*(:[\w][\w.-]{0,127}|@sha256:[0-9a-f]{64})$/;
const SUBNETWORK =
  /^(?:https:\/\/www\.googleapis\.com\/compute\/v1\/projects\/[^/]+\/)?regions\/([^/]+)\/subnetworks\/[^/]+$/;

function labels(map: Readonly<Record<string, string>>): string | undefined {
  const bad = Object.entries(map).filter(
    ([key, value]) =>
      !/^\p{Ll}[\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u.test(key) || !/^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u.test(value),
  );
  return bad.length === 0 && Object.keys(map).length <= 64
    ? undefined
    : "must be at most 64 labels; keys and values have up to 63 lower-case letters, digits, _ and -, and keys start with a letter";
}

/** These disable features that the pipeline requires. */
const FORBIDDEN_EXPERIMENTS = /^(disable_runner_v2|disable_portable_runner|disable_prime_runner_v2)/;
function experiments(list: readonly string[]): string | undefined {
  const forbidden = list.filter((name) => FORBIDDEN_EXPERIMENTS.test(name));
  if (forbidden.length) return `must not contain ${forbidden.join(", ")}, because the workers require Runner v2`;
  const single = "no_use_multiple_sdk_containers";
  return list.includes(single) ? `must not contain ${single}: use --sdk-workers 1` : undefined;
}

/** Options of `launch` and `update`. */
export const launchOptions = {
  ...locationOptions,
  subscription: pubsubOptions.subscription,
  dataset: bigqueryOptions.dataset,
  bigqueryEndpoint: {
    ...bigqueryOptions.bigqueryEndpoint,
    describe: "URL of a BigQuery emulator for the check of the tables and the settings of the dataset",
  },
  tempLocation: {
    type: "string",
    describe: "Folder for temporary files of the job, such as gs://bucket/temp",
    check: gsUrl,
    group: "Job:",
  },
  stagingLocation: {
    type: "string",
    describe: "Folder for files that the workers load. Default: folder staging beside --temp-location",
    optional: true,
    check: gsUrl,
    group: "Job:",
  },
  image: {
    type: "string",
    describe: "Container image of the workers, with tag or digest",
    check: (image) =>
      IMAGE.test(image)
        ? undefined
        : "must be an image with tag or digest, such as REGION-docker.pkg.dev/PROJECT/REPOSITORY/worker:1.2.3",
    group: "Job:",
  },
  jobName: {
    type: "string",
    describe: "Name of the job, unique among active jobs",
    default: "eventlogger",
    check: jobName,
    group: "Job:",
  },
  runner: {
    type: "enum",
    choices: ["dataflow"],
    describe: "Runner of the job: dataflow",
    default: "dataflow",
    group: "Job:",
  },
  labels: {
    type: "map",
    describe: "Labels of the job, as key=value,key=value; they appear in billing reports",
    default: {},
    check: labels,
    group: "Job:",
  },
  experiments: {
    type: "list",
    describe: "Experiments of Beam and Dataflow, as a,b",
    default: [],
    check: experiments,
    group: "Job:",
  },
  dataflowServiceOptions: {
    type: "list",
    describe: "Service options of Dataflow, as a,b",
    default: [],
    check: (list) =>
      list.includes("streaming_mode_at_least_once")
        ? "must not contain streaming_mode_at_least_once, because rollups would count events twice"
        : undefined,
    group: "Job:",
  },
  ...numberOptions,
  ...definitionOptions,
  // The service groups the panes, and reading state costs more there than on Flink.
  sessionWindows: { ...numberOptions.sessionWindows, default: "beam" },
  eventsSemantics: {
    type: "enum",
    choices: ["exactly-once", "at-least-once"],
    describe: "Delivery of raw events to BigQuery: exactly-once, or at-least-once, which costs less",
    default: "exactly-once",
    group: "Rollups:",
  },
  numWorkers: {
    type: "number",
    describe: "Initial number of workers",
    optional: true,
    check: wholeNumber(1, 4000),
    group: "Workers:",
  },
  maxWorkers: {
    type: "number",
    describe: "Maximum number of workers",
    optional: true,
    check: wholeNumber(1, 4000),
    group: "Workers:",
  },
  autoscaling: {
    type: "enum",
    choices: ["throughput-based", "none"],
    describe: "Autoscaling: throughput-based, or none for a fixed number of workers",
    optional: true,
    group: "Workers:",
  },
  workerMachineType: {
    type: "string",
    describe: "Machine type of the workers, such as n2-standard-2",
    optional: true,
    check: (type) => (/^[a-z][a-z0-9-]+$/.test(type) ? undefined : "must be a machine type such as n2-standard-2"),
    group: "Workers:",
  },
  sdkWorkers: {
    type: "enum",
    choices: ["per-core", "1"],
    describe:
      "SDK processes on each worker machine, which share its memory: per-core starts one for each vCPU, 1 starts a single one " +
      "with all the memory",
    default: "per-core",
    group: "Workers:",
  },
  diskSizeGb: {
    type: "number",
    describe: "Disk size of a worker, in GB",
    optional: true,
    check: wholeNumber(10, 65_536),
    group: "Workers:",
  },
  network: { type: "string", describe: "VPC network of the workers", optional: true, group: "Workers:" },
  subnetwork: {
    type: "string",
    describe: "Subnetwork of the workers, as regions/REGION/subnetworks/NAME",
    optional: true,
    check: (name) =>
      SUBNETWORK.test(name)
        ? undefined
        : "must be regions/REGION/subnetworks/NAME, or the full URL for a subnetwork of another project",
    group: "Workers:",
  },
  publicIps: {
    type: "boolean",
    describe: "Public IP addresses for the workers. --no-public-ips requires a subnetwork with Private Google Access",
    optional: true,
    group: "Workers:",
  },
  serviceAccount: {
    type: "string",
    describe: "Service account of the workers (e-mail address)",
    optional: true,
    check: (email) =>
      /^[^@\s]+@[^@\s]+\.gserviceaccount\.com$/.test(email)
        ? undefined
        : "must be the e-mail address of a service account",
    group: "Workers:",
  },
  check: {
    type: "boolean",
    describe: "Run preflight checks of the subscriptions, tables, buckets and image. --no-check skips them",
    default: true,
    group: "Submission:",
  },
  dryRun: {
    type: "boolean",
    describe:
      "Write the request and the graph of the job to files and explain them, but submit nothing. Needs no credentials",
    default: false,
    group: "Submission:",
  },
  output: {
    type: "string",
    describe: "Folder for the files of a dry run. Default: eventlogger-dry-run",
    optional: true,
    group: "Submission:",
  },
  ...jsonOption,
} as const satisfies OptionSpecs;

export type LaunchOptions = Options<typeof launchOptions>;

/** Cross-field validation of the options of a job. */
export function checkLaunchOptions(o: Partial<LaunchOptions>): string[] {
  const { numWorkers, maxWorkers } = o;
  const problems: string[] = [];
  if (numWorkers !== undefined && maxWorkers !== undefined && numWorkers > maxWorkers) {
    problems.push(
      `--num-workers (NUM_WORKERS) ${numWorkers} is greater than --max-workers (MAX_WORKERS) ${maxWorkers}`,
    );
  }
  if (o.autoscaling === "none" && maxWorkers !== undefined) {
    problems.push("--max-workers (MAX_WORKERS) has no effect with --autoscaling none; use --num-workers (NUM_WORKERS)");
  }
  if (o.network !== undefined && o.subnetwork !== undefined) {
    problems.push(
      "--network (NETWORK) cannot be combined with --subnetwork (SUBNETWORK), which determines the network",
    );
  }
  const subnetworkRegion = SUBNETWORK.exec(o.subnetwork ?? "")?.[1];
  if (subnetworkRegion !== undefined && o.region !== undefined && subnetworkRegion !== o.region) {
    problems.push(`--subnetwork (SUBNETWORK) is in ${subnetworkRegion}, but --region (REGION) is ${o.region}`);
  }
  if (o.output !== undefined && !o.dryRun) {
    problems.push("--output (OUTPUT) requires --dry-run (DRY_RUN)");
  }
  return problems;
}

/** The folder `staging` beside the folder for temporary files, or at the top of the bucket. */
function besideTemp(tempLocation: string): string {
  const { bucket, name } = parseGsUrl(tempLocation) as { bucket: string; name: string };
  const parent = name.replace(/\/$/, "").split("/").slice(0, -1);
  return `gs://${[bucket, ...parent, "staging"].join("/")}`;
}

/** Converts the options to settings of the job. */
export function jobSettings(o: LaunchOptions): JobSettings {
  return {
    project: o.project,
    region: o.region,
    endpoint: o.dataflowEndpoint,
    jobName: o.jobName,
    tempLocation: o.tempLocation.replace(/\/$/, ""),
    stagingLocation: o.stagingLocation?.replace(/\/$/, "") ?? besideTemp(o.tempLocation),
    numWorkers: o.numWorkers,
    maxWorkers: o.maxWorkers,
    autoscaling: o.autoscaling,
    machineType: o.workerMachineType,
    sdkWorkers: o.sdkWorkers,
    diskSizeGb: o.diskSizeGb,
    network: o.network,
    subnetwork: o.subnetwork,
    publicIps: o.publicIps,
    serviceAccount: o.serviceAccount,
    labels: o.labels,
    experiments: o.experiments,
    serviceOptions: o.dataflowServiceOptions,
  };
}
