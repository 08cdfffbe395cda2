import type { DataflowLocation } from "../dataflowJobs";

/** Settings of a job. Dataflow chooses the undefined ones. */
export interface JobSettings extends DataflowLocation {
  readonly jobName: string;
  /** `gs://bucket/folder` for temporary files of the job. */
  readonly tempLocation: string;
  /** `gs://bucket/folder` for files that workers load. */
  readonly stagingLocation: string;
  readonly numWorkers?: number | undefined;
  readonly maxWorkers?: number | undefined;
  readonly autoscaling?: "throughput-based" | "none" | undefined;
  /** Such as `n2-standard-2`. */
  readonly machineType?: string | undefined;
  /** SDK processes on each machine. @default "per-core" */
  readonly sdkWorkers?: "per-core" | "1" | undefined;
  readonly diskSizeGb?: number | undefined;
  readonly network?: string | undefined;
  readonly subnetwork?: string | undefined;
  readonly publicIps?: boolean | undefined;
  /** E-mail address of the workers' service account. */
  readonly serviceAccount?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly experiments: readonly string[];
  readonly serviceOptions: readonly string[];
  /** Id of a snapshot whose state the job begins with. */
  readonly fromSnapshot?: string | undefined;
}

/** Settings of an update, which takes over the state of a running job. */
export interface UpdateSettings {
  /** Old names (or name prefixes) of steps to new ones. */
  readonly transformNameMapping: Readonly<Record<string, string>>;
}

const AUTOSCALING = { "throughput-based": "THROUGHPUT_BASED", none: "NONE" } as const;

/**
 * Experiments that set the number of SDK processes. Siblings are processes of one container. Without this experiment the
 * service starts a container for each vCPU, and Beam's submitter asks for that. The other one asks for a single process
 * (https://cloud.google.com/dataflow/docs/guides/troubleshoot-oom). The service has no experiment for other numbers.
 */
const SDK_WORKERS = { "per-core": "use_sibling_sdk_workers", "1": "no_use_multiple_sdk_containers" } as const;

/** Converts the settings to pipeline options of Beam's Python SDK, as on its command line. */
export function beamFlags(settings: JobSettings, update?: UpdateSettings): string[] {
  const { network, subnetwork, autoscaling, publicIps } = settings;
  const values: Record<string, string | number | undefined> = {
    project: settings.project,
    region: settings.region,
    job_name: settings.jobName,
    temp_location: settings.tempLocation,
    staging_location: settings.stagingLocation,
    dataflow_endpoint: settings.endpoint,
    num_workers: settings.numWorkers,
    max_num_workers: settings.maxWorkers,
    autoscaling_algorithm: autoscaling && AUTOSCALING[autoscaling],
    machine_type: settings.machineType,
    disk_size_gb: settings.diskSizeGb,
    network,
    subnetwork,
    service_account_email: settings.serviceAccount,
    create_from_snapshot: settings.fromSnapshot,
    dataflow_service_options: settings.serviceOptions.join(",") || undefined,
  };
  return [
    ...Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`])),
    ...(publicIps === undefined ? [] : [publicIps ? "--use_public_ips" : "--no_use_public_ips"]),
    ...Object.entries(settings.labels).map(([key, value]) => `--labels=${key}=${value}`),
    ...[SDK_WORKERS[settings.sdkWorkers ?? "per-core"], ...settings.experiments].map((name) => `--experiments=${name}`),
    // Copies a file within the bucket if it was uploaded before.
    "--enable_artifact_caching",
    ...(update ? ["--update"] : []),
    ...(update && Object.keys(update.transformNameMapping).length
      ? [`--transform_name_mapping=${JSON.stringify(update.transformNameMapping)}`]
      : []),
  ];
}
