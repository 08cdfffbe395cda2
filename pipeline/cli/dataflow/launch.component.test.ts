import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import "@eventlogger/beam/sdk";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { repositoryRoot, cacheDir } from "@eventlogger/process/packageRoot";
import { startPubSubEmulator, type PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import type { BigQuery } from "@google-cloud/bigquery";
import { ensureExpansionClasspath } from "@eventlogger/beam";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { readActiveGeneration } from "@eventlogger/gcp/bigquery/generations";
import { rollupVersion } from "@eventlogger/gcp/bigquery/testing/rows";
import { setUpBigQuery } from "@eventlogger/gcp/bigquery/setup/setUpBigQuery";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { ensureSubmitter } from "../../runners/dataflow/submitter/environment";
import { describePipeline, type PipelineDescription } from "../../runners/dataflow/testing/describePipeline";
import { startFakeGoogle, type FakeGoogle } from "@eventlogger/gcp/testing/fakeGoogle";
import { googleError } from "@eventlogger/gcp/testing/fakeServer";
import { eventlogger, type CliRun } from "../testing/eventlogger";

const IMAGE = "europe-west1-docker.pkg.dev/some-project/eventlogger/worker:0.1.0";
const GOLDEN = join(repositoryRoot, "pipeline/runners/dataflow/pipeline.golden.json");

interface JobJson {
  readonly type: string;
  readonly replaceJobId?: string;
  readonly createdFromSnapshotId?: string;
  readonly transformNameMapping?: Record<string, string>;
  readonly labels?: Record<string, string>;
  readonly environment: {
    readonly experiments: readonly string[];
    readonly serviceAccountEmail?: string;
    readonly workerPools: readonly {
      readonly kind: string;
      readonly numWorkers?: number;
      readonly machineType?: string;
      readonly network?: string;
      readonly subnetwork?: string;
      readonly ipConfiguration?: string;
      readonly autoscalingSettings: { readonly maxNumWorkers?: number };
      readonly sdkHarnessContainerImages: readonly {
        readonly containerImage: string;
        readonly environmentId: string;
        readonly useSingleCorePerContainer?: boolean;
        readonly capabilities: readonly string[];
      }[];
    }[];
    readonly sdkPipelineOptions: {
      readonly options: { readonly pipelineUrl: string; readonly registered_node_modules: readonly string[] };
    };
  };
}

/** A graph as Graphviz has drawn it. */
interface DrawnGraph {
  readonly objects: readonly { readonly name: string }[];
  readonly edges: readonly { readonly tail: number; readonly head: number }[];
}

/** The names of the steps that a service runs, and `STEP -> STEP` for each collection between two, from the encoded proto. */
function flowsOf(proto: Uint8Array): { readonly steps: readonly string[]; readonly flows: ReadonlySet<string> } {
  const transforms = Object.values(runnerApi.Pipeline.fromBinary(proto).components?.transforms ?? {});
  const sources = transforms.filter(({ spec }) => spec?.urn === "beam:transform:pubsub_read:v1");
  const steps = transforms.filter(
    (transform) =>
      sources.includes(transform) ||
      (transform.spec !== undefined &&
        transform.subtransforms.length === 0 &&
        // The service replaces the whole source.
        !sources.some(({ uniqueName }) => transform.uniqueName.startsWith(`${uniqueName}/`))),
  );
  const flows = steps.flatMap((from) =>
    steps
      .filter((to) => Object.values(from.outputs).some((collection) => Object.values(to.inputs).includes(collection)))
      .map((to) => `${from.uniqueName} -> ${to.uniqueName}`),
  );
  return { steps: steps.map(({ uniqueName }) => uniqueName), flows: new Set(flows) };
}

describe("eventlogger launch and update", () => {
  const bigquery = useBigQueryEmulator();
  let google: FakeGoogle;
  let dir: string;

  before(async function () {
    this.timeout(900_000); // the first run builds the Java parts and installs Beam for Python
    await ensureExpansionClasspath({ cacheDir });
    await ensureSubmitter();
    dir = mkdtempSync(join(tmpdir(), "launch-test-"));
    google = await startFakeGoogle();
    for (const dataset of ["analytics", "interrupted"]) await setUpBigQuery(warehouse(), { dataset });
  });
  after(async () => {
    await google.stop();
    rmSync(dir, { recursive: true });
  });

  const warehouse = (): BigQuery => bigQueryClient({ project: google.project, endpoint: bigquery.emulator.url });

  /** Runs a command against the fakes. */
  const run = (
    command: string,
    args: readonly string[],
    options: Parameters<typeof eventlogger>[1] = {},
  ): Promise<CliRun> =>
    eventlogger(
      [...[command, "--project", google.project, "--region", google.region], ...["--image", IMAGE, ...args]],
      {
        cwd: dir,
        ...options,
        env: {
          ...google.env,
          DATAFLOW_ENDPOINT: google.endpoint,
          TEMP_LOCATION: "gs://fake-bucket/temp",
          BIGQUERY_ENDPOINT: bigquery.emulator.url,
          ...options.env,
        },
      },
    );
  it("report all problems of the command line in one error, and write nothing", async () => {
    const { code, stdout, stderr } = await eventlogger(
      [
        ...["update", "--project", "tiny", "--temp-location", "/tmp", "--image", "worker", "--max-workers", "2"],
        ...["--num-workers", "3", "--compare-with", "old.pb", "--labels", "Team", "--job-nam", "x", "--output", "o"],
      ],
      { cwd: dir, env: { NETWORK: "n", SUBNETWORK: "regions/us-east1/subnetworks/s" } },
    );
    assert.equal(code, 2);
    assert.equal(stdout, "");
    for (const text of [
      /unknown option --job-nam; did you mean --job-name\?/,
      /--project \(PROJECT\) must be a project id: 6 to 30/,
      /--region \(REGION\) is required/,
      /--temp-location \(TEMP_LOCATION\) must be a location in Cloud Storage/,
      /--image \(IMAGE\) must be an image with tag or digest/,
      /--labels \(LABELS\) must be a list such as key=value/,
      /--num-workers \(NUM_WORKERS\) 3 is greater than --max-workers/,
      /--network \(NETWORK\) cannot be combined with --subnetwork \(SUBNETWORK\)/,
      /--output \(OUTPUT\) requires --dry-run/,
      /--compare-with \(COMPARE_WITH\) requires --dry-run/,
    ]) {
      assert.match(stderr, text);
    }
    assert.match(stderr, /^error: Configuration: 10 problems\n/);
    assert.deepEqual(readdirSync(dir), []);
  });

  it("launch runs preflight checks and reports all missing resources", async () => {
    let pubsub: PubSubEmulator | undefined;
    try {
      pubsub = await startPubSubEmulator({ logFile: join(dir, "pubsub.log") });
      google.dataflow.add({ name: "eventlogger" });
      const { code, stderr, stdout } = await run("launch", ["--temp-location", "gs://no-such-bucket/temp", "--json"], {
        env: { PUBSUB_EMULATOR_HOST: pubsub.host, BIGQUERY_ENDPOINT: google.endpoint },
      });
      assert.equal(code, 1);
      assert.equal(stdout, "");
      assert.match(stderr, /^error: Preflight checks found 4 problems/m);
      assert.match(stderr, /Bucket gs:\/\/no-such-bucket does not exist/);
      assert.match(stderr, /Subscription events-pipeline does not exist/);
      assert.match(stderr, /Subscription events-pipeline-replay-g1 does not exist/);
      assert.match(stderr, /Job eventlogger is already active/);
      assert.doesNotMatch(stderr, /expan/);
    } finally {
      await pubsub?.stop();
      google.reset();
    }
  });

  it("update requires a running job", async () => {
    const none = await run("update", ["--no-check"]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /^error: No active job is named eventlogger .* `eventlogger launch`/);
    google.dataflow.add({ name: "eventlogger", currentState: "JOB_STATE_DRAINING" });
    const draining = await run("update", ["--no-check"]);
    assert.equal(draining.code, 1);
    assert.match(draining.stderr, /is draining, but only a running job can be updated/);
    google.reset();
  });

  /** The staged pipelines that contain a secret of the hash in the keys of state. */
  const pipelinesWith = (secret: string | undefined): Buffer[] =>
    [...google.storage.objects]
      .filter(([name, bytes]) => name.endsWith("/pipeline.pb") && bytes.includes(`"${secret}"`))
      .map(([, bytes]) => bytes);

  describe("launch", () => {
    let dryRun: CliRun;
    let launched: CliRun;
    let interrupted: CliRun;
    let slow: FakeGoogle;
    let temporary: string;

    // In parallel, because most of the time one program waits for another.
    before(async () => {
      google.server.fail({ match: /^POST .*\/jobs$/, answer: googleError(500, "try later"), times: 1 });
      slow = await startFakeGoogle();
      temporary = mkdtempSync(join(dir, "tmp-"));
      const runs = [plan(), run("launch", ["--no-check", "--json"]), launchInterrupted()] as const;
      [dryRun, launched, interrupted] = await Promise.all(runs);
    });
    after(() => slow.stop());

    const launchInterrupted = (): Promise<CliRun> => {
      slow.server.fail({ match: /^PUT \/upload/, answer: "hang" });
      const uploading = async (): Promise<void> => {
        while (slow.server.requestsTo(/^PUT \/upload/).length === 0) await new Promise((go) => setTimeout(go, 50));
      };
      const args = ["--no-check", "--dataflow-endpoint", slow.endpoint, "--dataset", "interrupted"];
      return run("launch", args, { interrupt: uploading(), env: { ...slow.env, TMPDIR: temporary } });
    };

    // A dry run, without the fakes and without credentials.
    const plan = (): Promise<CliRun> =>
      eventlogger(
        [
          ...["launch", "--project", "some-project", "--region", "europe-west1", "--image", IMAGE, "--dry-run"],
          ...["--temp-location", "gs://some-bucket/ev/temp", "--events-semantics", "at-least-once", "--output", "plan"],
          ...["--num-workers", "2", "--max-workers", "5", "--worker-machine-type", "n2-standard-2", "--no-public-ips"],
          ...[
            "--subnetwork",
            "regions/europe-west1/subnetworks/s",
            "--labels",
            "team=data",
            "--experiments",
            "some_one",
          ],
          ...["--service-account", "w@some-project.iam.gserviceaccount.com", "--from-snapshot", "snapshot-1"],
        ],
        { cwd: dir, env: { GOOGLE_APPLICATION_CREDENTIALS: "/nowhere" } },
      );

    const job = (): JobJson => JSON.parse(readFileSync(join(dir, "plan", "job.json"), "utf8")) as JobJson;

    it("writes the type, workers and images of the job in a dry run", () => {
      assert.equal(dryRun.code, 0, dryRun.stderr);
      const { type, labels, environment, createdFromSnapshotId } = job();
      assert.equal(type, "JOB_TYPE_STREAMING");
      assert.equal(createdFromSnapshotId, "snapshot-1");
      assert.deepEqual(labels, { team: "data" });
      assert.equal(environment.serviceAccountEmail, "w@some-project.iam.gserviceaccount.com");
      for (const name of ["use_sibling_sdk_workers", "some_one", "use_runner_v2", "enable_streaming_engine"]) {
        assert.ok(environment.experiments.includes(name), name);
      }
      const [pool, ...others] = environment.workerPools;
      assert.ok(pool && others.length === 0);
      assert.deepEqual(
        [pool.kind, pool.numWorkers, pool.autoscalingSettings.maxNumWorkers, pool.machineType, pool.subnetwork],
        ["harness", 2, 5, "n2-standard-2", "regions/europe-west1/subnetworks/s"],
      );
      assert.equal(pool.ipConfiguration, "WORKER_IP_PRIVATE");
      const images = [...pool.sdkHarnessContainerImages].sort((a, b) => (a.containerImage < b.containerImage ? -1 : 1));
      assert.deepEqual(
        images.map(({ containerImage }) => containerImage),
        [IMAGE, "gcr.io/cloud-dataflow/v1beta3/beam_java17_sdk:2.73.0"],
      );
      assert.equal(images[0]?.useSingleCorePerContainer, true);
      assert.ok(images[0]?.capabilities.includes("beam:protocol:sibling_workers:v1"));
      // The service learns from the job what the workers can do, such as to truncate sources when a job is drained.
      const pipeline = runnerApi.Pipeline.fromBinary(readFileSync(join(dir, "plan", "pipeline.pb")));
      const declared = pipeline.components?.environments[images[0]?.environmentId ?? ""]?.capabilities;
      assert.deepEqual([...(images[0]?.capabilities ?? [])].sort(), [...(declared ?? [])].sort());
      assert.match(
        environment.sdkPipelineOptions.options.pipelineUrl,
        /^gs:\/\/some-bucket\/ev\/staging\/eventlogger\.[\d.]+\/pipeline\.pb$/,
      );
    });

    it("writes the golden pipeline and the modules that workers load in a dry run", () => {
      const pipeline = runnerApi.Pipeline.fromBinary(readFileSync(join(dir, "plan", "pipeline.pb")));
      const { registered_node_modules } = job().environment.sdkPipelineOptions.options;
      const golden = JSON.parse(readFileSync(GOLDEN, "utf8")) as PipelineDescription;
      const written = describePipeline(pipeline, registered_node_modules);
      assert.deepEqual(
        // Beam's runner changes URLs of images and files in the environments.
        { ...written, environments: {} },
        { ...golden, environments: {} },
        "A dry run writes another pipeline than pipeline.golden.json. If step names differ: an update transfers state by " +
          "them, so a renamed step loses its state.",
      );
    });

    it("writes the graph of the job in a dry run, which Graphviz can draw, with every step and every flow of elements", async () => {
      // A module of ES syntax only.
      const graphviz = await import("@viz-js/viz");
      const { steps, flows } = flowsOf(readFileSync(join(dir, "plan", "pipeline.pb")));
      const { output, status } = (await graphviz.instance()).render(
        readFileSync(join(dir, "plan", "graph.dot"), "utf8"),
        {
          format: "json0",
        },
      );
      assert.ok(status === "success");
      const drawn = JSON.parse(output) as DrawnGraph;
      const names = drawn.objects.map(({ name }) => name);
      const cluster = /^cluster /;
      assert.deepEqual(names.filter((name) => !cluster.test(name)).sort(), [...steps].sort());
      assert.ok(names.includes("cluster CountUsers/UserDeltas"));
      const edges = drawn.edges.map(({ tail, head }) => `${names[tail]} -> ${names[head]}`);
      assert.deepEqual(edges.sort(), [...flows].sort());
      assert.match(JSON.stringify(drawn), /subscription events-pipeline-replay-g1/);
      const page = readFileSync(join(dir, "plan", "graph.html"), "utf8");
      assert.match(page, /<title>Job eventlogger<\/title>/);
      assert.match(page, /table analytics\.daily_rollup_versions/);
      assert.doesNotMatch(page, /(src|href)="/);
    });

    it("explains the job in a dry run", () => {
      for (const line of [
        /^dry run: nothing was submitted/m,
        /^job +streaming job eventlogger in europe-west1, project some-project$/m,
        /^writes +analytics\.events \(at-least-once\)/m,
        /^workers +2 initially, at most 5, machine type n2-standard-2; an SDK process per vCPU; network regions.*; no public IP addresses; service account w@some-project/m,
        /^stages +1 file, [\d.]+ MB, under gs:\/\/some-bucket\/ev\/staging/m,
        /^ +CountUsers\/UserLedger \(state\)$/m,
        /^graph +open \S+\/plan\/graph\.html in a browser/m,
      ]) {
        assert.match(dryRun.stdout, line);
      }
    });

    it("prints the id of the job, and retries while the services are unavailable", () => {
      const { code, stdout, stderr } = launched;
      assert.equal(code, 0, stderr);
      const document = JSON.parse(stdout) as Record<string, unknown>;
      const [job] = google.dataflow.jobs;
      assert.equal(document.jobId, job?.id);
      assert.equal(
        document.console,
        `https://console.cloud.google.com/dataflow/jobs/europe-west1/${job?.id}?project=fake-project`,
      );
      assert.match(stderr, /expanding [^]*staged expansion-service\S*\.jar, [\d.]+ MB\nsubmitting the job\n$/);
      assert.equal(google.dataflow.jobs.length, 1);
      assert.equal(google.server.requestsTo(/^POST .*\/jobs$/).length, 2);
    });

    it("records the job in the row of the generation", async () => {
      const active = await readActiveGeneration(warehouse(), "analytics");
      const [job] = google.dataflow.jobs;
      assert.deepEqual(active?.job, { runner: "dataflow", region: google.region, name: "eventlogger", id: job?.id });
      assert.deepEqual(
        [active?.subscription, active?.replaySubscription],
        ["events-pipeline", "events-pipeline-replay-g1"],
      );
    });

    it("is refused while a job computes the generation, also under another name", async () => {
      const [job] = google.dataflow.jobs;
      const again = await run("launch", ["--no-check", "--job-name", "another"]);
      assert.equal(again.code, 1);
      assert.match(
        again.stderr,
        new RegExp(
          `^error: Generation 1 of dataset analytics is already computed by job eventlogger \\(${job?.id}\\), which is pending`,
        ),
      );
      assert.equal(google.dataflow.jobs.length, 1);
    });

    it("is refused with other definitions, with the command that makes the numbers again with them", async () => {
      const other = await run("launch", ["--no-check", "--session-gap", "15m"]);
      assert.equal(other.code, 1);
      assert.match(
        other.stderr,
        /the session gap is 1800 s in the dataset, but 900 s in this run[^]*\n {2}eventlogger rebuild --project fake-project .*--runner dataflow .*--session-gap 15m$/m,
      );
      assert.equal(google.dataflow.jobs.length, 1);
    });

    it("is refused after a drain, which has lost the state of the numbers, with the command that makes them again", async () => {
      const [job] = google.dataflow.jobs;
      assert.ok(job);
      const rows = [rollupVersion({ date: "2026-05-01", session_count: 1 })];
      await warehouse().dataset("analytics").table("daily_rollup_versions").insert(rows);
      job.currentState = "JOB_STATE_DRAINED";
      const lost = await run("launch", ["--no-check"]);
      job.currentState = "JOB_STATE_PENDING";
      assert.equal(lost.code, 1);
      assert.match(
        lost.stderr,
        /^error: Generation 1 of dataset analytics has numbers, but no job runs that has their state: job eventlogger \(.*\) is drained since [^]*A new job would count from zero[^]*\n {2}eventlogger rebuild .*--runner dataflow .*--take-over$/m,
      );
      assert.equal(google.dataflow.jobs.length, 1);
    });

    it("gives the workers the secret of the hash in the keys of state that it recorded in the dataset, and prints it nowhere", async () => {
      const secret = (await readActiveGeneration(warehouse(), "analytics"))?.settings.shardHashSecret;
      assert.match(secret ?? "", /^[0-9a-f]{32}$/);
      assert.equal(pipelinesWith(secret).length, 1);
      assert.ok(!`${launched.stdout}${launched.stderr}`.includes(secret as string));
    });

    it("writes no secret of the shard hash in a dry run", () => {
      // As the secret is in the pipeline of a launch, see pipelinesWith.
      assert.doesNotMatch(readFileSync(join(dir, "plan", "pipeline.pb"), "latin1"), /"[0-9a-f]{32}"/);
    });

    it("stops at Ctrl-C while files are staged, submits nothing and leaves no process", () => {
      assert.equal(interrupted.code, 130, interrupted.stderr);
      assert.match(
        interrupted.stdout,
        /stopping; press Ctrl-C again to stop at once\nstopped: no job was submitted\n$/,
      );
      assert.equal(slow.server.requestsTo(/^POST .*\/jobs$/).length, 0);
      assert.deepEqual(readdirSync(temporary), []);
      // The command lines of its processes contain the folder.
      assert.doesNotMatch(execFileSync("ps", ["-eo", "args"], { encoding: "utf8" }), new RegExp(temporary));
    });
  });

  describe("update", () => {
    const created = (): JobJson[] =>
      google.server.requestsTo(/^POST .*\/jobs$/).map(({ body }) => JSON.parse(body.toString()) as JobJson);

    /** Changes the running job to one in which a step has its old name. */
    before(() => {
      const [job] = google.dataflow.jobs;
      assert.ok(job);
      job.currentState = "JOB_STATE_RUNNING";
      const [name, bytes] = [...google.storage.objects].find(([key]) => key.endsWith("/pipeline.pb")) ?? [];
      const pipeline = runnerApi.Pipeline.fromBinary(bytes as Buffer);
      for (const transform of Object.values(pipeline.components?.transforms ?? {})) {
        transform.uniqueName = transform.uniqueName.replace(/^CountUsers(?=\/|$)/, "CountPeople");
      }
      google.storage.objects.set(name as string, Buffer.from(runnerApi.Pipeline.toBinary(pipeline)));
      google.server.requests.length = 0;
    });

    it("is refused when a step would lose state, with the mapping that keeps it", async () => {
      const { code, stdout, stderr } = await run("update", ["--no-check"]);
      assert.equal(code, 1);
      assert.match(stdout, /^added +CountUsers\/UserLedger$/m);
      assert.match(stdout, /^removed +CountPeople\/UserLedger$/m);
      assert.match(
        stdout,
        /^loses +CountPeople\/UserLedger \(state\) was removed\. .*--transform-name-mapping CountPeople\/UserLedger=CountUsers\/UserLedger$/m,
      );
      assert.match(stderr, /2 steps of the running job would lose state[^]*--allow-state-loss/);
      assert.equal(created().length, 0);
    });

    it("replaces the job with the mapping, and uploads no file that is already in the bucket", async () => {
      const args = ["--no-check", "--json", "--transform-name-mapping", "CountPeople=CountUsers"];
      const { code, stdout, stderr } = await run("update", args);
      assert.equal(code, 0, stderr);
      const [old, replacement] = google.dataflow.jobs;
      const document = JSON.parse(stdout) as { jobId: string; replaces: string; files: { uploaded: boolean }[] };
      assert.deepEqual([document.jobId, document.replaces], [replacement?.id, old?.id]);
      assert.deepEqual(
        document.files.map(({ uploaded }) => uploaded),
        [false],
      );
      assert.equal(old?.currentState, "JOB_STATE_UPDATED");
      assert.deepEqual(created()[0]?.transformNameMapping, { CountPeople: "CountUsers" });
      assert.match(stderr, /^renamed CountPeople\/UserLedger -> CountUsers\/UserLedger$/m);
      assert.doesNotMatch(stderr, /^(added|removed|loses)/m);
      const secret = (await readActiveGeneration(warehouse(), "analytics"))?.settings.shardHashSecret;
      assert.equal(pipelinesWith(secret).length, 2, "it has the secret of the job that it replaces");
      assert.ok(!`${stdout}${stderr}`.includes(secret as string));
    });
  });
});
