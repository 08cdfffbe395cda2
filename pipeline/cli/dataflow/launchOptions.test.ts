import assert from "node:assert/strict";
import { ConfigError } from "@eventlogger/options/options";
import { beamFlags } from "../../runners/dataflow/submitter/beamFlags";
import { readCommandLine } from "../readCommandLine";
import { checkLaunchOptions, jobSettings, launchOptions, type LaunchOptions } from "./launchOptions";

const right = {
  project: "my-project",
  region: "europe-west1",
  "temp-location": "gs://my-bucket/ev/temp",
  image: "europe-docker.pkg.dev/my-project/r/worker:0.1.0",
};

function read(flags: Record<string, unknown>): LaunchOptions {
  const camel = Object.fromEntries(
    Object.entries(flags).map(([name, value]) => [name.replace(/-(.)/g, (_, c: string) => c.toUpperCase()), value]),
  );
  return readCommandLine(launchOptions, { _: ["launch"], ...camel }, {}, checkLaunchOptions);
}

function problemsOf(flags: Record<string, unknown>): readonly string[] {
  try {
    read(flags);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
}

describe("the options of launch and update", () => {
  it("are converted to the settings of the job", () => {
    const settings = jobSettings(
      read({
        ...right,
        labels: "team=data",
        experiments: "a,b",
        "max-workers": "5",
        autoscaling: "throughput-based",
        "public-ips": false,
      }),
    );
    assert.equal(settings.stagingLocation, "gs://my-bucket/ev/staging");
    assert.deepEqual(settings.labels, { team: "data" });
    assert.deepEqual(settings.experiments, ["a", "b"]);
    assert.equal(settings.maxWorkers, 5);
    assert.equal(settings.sdkWorkers, "per-core");
    assert.equal(settings.publicIps, false);
    assert.equal(
      jobSettings(read({ ...right, "temp-location": "gs://my-bucket" })).stagingLocation,
      "gs://my-bucket/staging",
    );
  });

  it("ask for one SDK process per vCPU by default, and for a single one with --sdk-workers 1", () => {
    const experimentsOf = (flags: Record<string, unknown>): string[] =>
      beamFlags(jobSettings(read({ ...right, experiments: "mine", ...flags }))).filter((f) => f.startsWith("--experi"));
    assert.deepEqual(experimentsOf({}), ["--experiments=use_sibling_sdk_workers", "--experiments=mine"]);
    assert.deepEqual(experimentsOf({ "sdk-workers": "1" }), [
      "--experiments=no_use_multiple_sdk_containers",
      "--experiments=mine",
    ]);
    assert.match(
      problemsOf({ ...right, experiments: "no_use_multiple_sdk_containers" }).join(),
      /^--experiments .* must not contain no_use_multiple_sdk_containers: use --sdk-workers 1$/,
    );
  });

  it("are each checked, and one error reports all invalid values", () => {
    const wrong: Record<string, unknown> = {
      project: "tiny",
      region: "Europe",
      "temp-location": "/tmp",
      image: "worker",
      "job-name": "Not_A_Name",
      labels: "Team=data",
      "num-workers": "0",
      autoscaling: "maybe",
      experiments: "disable_runner_v2",
      "dataflow-service-options": "streaming_mode_at_least_once",
      subnetwork: "workers",
      "service-account": "me",
      "events-semantics": "twice",
      "sdk-workers": "2",
      runner: "flink",
    };
    for (const [name, value] of Object.entries(wrong)) {
      const problems = problemsOf({ ...right, [name]: value });
      assert.equal(problems.length, 1, `${name}: ${problems.join()}`);
      assert.match(problems[0] as string, new RegExp(`^--${name} \\([A-Z_]+\\) must `));
    }
    assert.equal(problemsOf(wrong).length, Object.keys(wrong).length);
  });

  it("are reported when they are required and missing", () => {
    const required = Object.keys(right).map((name) => `--${name}`);
    assert.deepEqual(
      problemsOf({}).map((problem) => problem.split(" ")[0]),
      required,
    );
  });

  it("are rejected when they contradict each other", () => {
    const pairs: [Record<string, unknown>, RegExp][] = [
      [{ "num-workers": "6", "max-workers": "5" }, /^--num-workers .* 6 is greater than --max-workers/],
      [{ autoscaling: "none", "max-workers": "5" }, /^--max-workers .* --autoscaling none/],
      [
        { network: "n", subnetwork: "regions/europe-west1/subnetworks/s" },
        /^--network .* cannot be combined with --subnetwork/,
      ],
      [{ subnetwork: "regions/us-east1/subnetworks/s" }, /^--subnetwork .* us-east1, but --region .* europe-west1/],
      [{ output: "plan" }, /^--output .* requires --dry-run/],
    ];
    for (const [flags, message] of pairs) {
      const problems = problemsOf({ ...right, ...flags });
      assert.equal(problems.length, 1);
      assert.match(problems[0] as string, message);
    }
    const all = Object.assign({ project: "tiny" }, ...pairs.map(([flags]) => flags)) as Record<string, unknown>;
    assert.equal(problemsOf({ ...right, ...all }).length, pairs.length + 1);
  });
});
