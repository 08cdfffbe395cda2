import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CredentialsError, GoogleApiError } from "@eventlogger/gcp/api/googleApiError";
import { EXPIRED } from "@eventlogger/gcp/testing/fakeCredentials";
import type { FakeGoogle } from "@eventlogger/gcp/testing/fakeGoogle";
import { googleError } from "@eventlogger/gcp/testing/fakeServer";
import { useFakeGoogle } from "../testing/useFakeGoogle";
import { beamFlags, type JobSettings } from "./beamFlags";
import { ensureSubmitter } from "./environment";
import { SubmissionError } from "./submissionError";
import { InterruptedError, submit, type Submission, type SubmissionProgress, type SubmitOptions } from "./submit";
import { smallPipeline } from "./testing/smallPipeline";

const IMAGE = "europe-docker.pkg.dev/fake-project/r/worker:1";

describe("submit", () => {
  const fakes = useFakeGoogle();
  let google: FakeGoogle;
  let python: string;
  let dir: string;
  let submission: Submission;
  let progress: SubmissionProgress[];

  before(async function () {
    this.timeout(600_000); // the first run installs Beam for Python
    python = await ensureSubmitter();
    dir = mkdtempSync(join(tmpdir(), "submit-test-"));
    ({ google } = fakes);
    const pipeline = await smallPipeline(join(dir, "worker.jar"), IMAGE);
    const settings: JobSettings = {
      project: google.project,
      region: google.region,
      endpoint: google.endpoint,
      jobName: "small",
      tempLocation: "gs://fake-bucket/temp",
      stagingLocation: "gs://fake-bucket/staging",
      labels: {},
      experiments: [],
      serviceOptions: [],
    };
    submission = { pipeline, jobName: "small", flags: beamFlags(settings), nodeModules: ["some/module"] };
  });
  beforeEach(() => (progress = []));
  after(() => rmSync(dir, { recursive: true }));

  const run = (options: Partial<SubmitOptions> = {}, more: Partial<Submission> = {}): Promise<string | undefined> =>
    submit({ ...submission, ...more }, { python, onProgress: (one) => progress.push(one), ...options });
  const created = (): number => google.server.requestsTo(/^POST .*\/jobs$/).length;
  const events = (): string[] => progress.map(({ event }) => event);

  it("stages files and creates the job, and retries while the services are unavailable", async () => {
    google.server.fail({ match: /^POST \/upload/, answer: googleError(503, "try later"), times: 1 });
    google.server.fail({ match: /^PUT \/upload/, answer: googleError(500, "try later"), times: 1 });
    google.server.fail({ match: /^POST .*\/jobs$/, answer: googleError(500, "try later"), times: 1 });
    google.storage.denied.add("storage.buckets.get"); // not required to use a bucket
    const id = await run().finally(() => google.storage.denied.clear());
    assert.equal(id, google.dataflow.jobs[0]?.id);
    assert.equal(google.dataflow.jobs.length, 1);
    assert.equal(created(), 2);
    assert.deepEqual(progress[0], { event: "staging", file: "worker.jar", bytes: 2_000_000 });
    assert.deepEqual(
      progress.find(({ event }) => event === "staged"),
      { event: "staged", file: "worker.jar", bytes: 2_000_000, uploaded: true },
    );
    assert.equal(events().at(-1), "submitting");
    const staged = [...google.storage.objects].find(([name]) => /staging\/small\.[\d.]+\/worker\.jar$/.test(name));
    assert.deepEqual(staged?.[1], readFileSync(join(dir, "worker.jar")));
  });

  it("does not upload a file twice, and reports that the job name is in use", async () => {
    await run();
    progress = [];
    await assert.rejects(run(), (error: unknown) => {
      assert.ok(error instanceof SubmissionError);
      assert.match(error.message, /Job small is already active:.*\n.*eventlogger update/);
      return true;
    });
    assert.deepEqual(
      progress.find(({ event }) => event === "staged"),
      { event: "staged", file: "worker.jar", bytes: 2_000_000, uploaded: false },
    );
    assert.equal(google.dataflow.jobs.length, 1);
  });

  it("replaces the job with the given id without looking for a job by name", async () => {
    const { id } = google.dataflow.add({ name: "small" });
    google.dataflow.add({ name: "another" });
    assert.equal(
      await run({}, { replaceJobId: id, flags: [...submission.flags, "--update"] }),
      google.dataflow.jobs[2]?.id,
    );
    assert.equal(google.dataflow.jobs[2]?.replaceJobId, id);
    assert.equal(google.dataflow.jobs[0]?.currentState, "JOB_STATE_UPDATED");
    assert.equal(google.server.requestsTo(/^GET .*\/jobs/).length, 0);
  });

  it("reports expired credentials without retries", async () => {
    google.server.fail({ match: /token/, answer: EXPIRED });
    const error = await run().catch((problem: unknown) => problem);
    assert.ok(error instanceof CredentialsError);
    assert.match(error.message, /Token has been expired or revoked[^]*gcloud auth application-default login/);
    assert.equal(google.server.requestsTo(/upload/).length, 0);
  });

  it("names the missing permission without retries", async () => {
    const refusal = "x does not have storage.objects.create access to the bucket.";
    google.server.fail({ match: /^POST \/upload/, answer: googleError(403, refusal) });
    const error = await run().catch((problem: unknown) => problem);
    assert.ok(error instanceof GoogleApiError && error.status === 403, String(error));
    assert.match(
      error.message,
      /^Cannot submit the job: .*gs:\/\/fake-bucket.*\n.*permission storage\.objects\.create /,
    );
    // Closing the upload sends a second request; Beam itself would retry for ten minutes.
    assert.ok(google.server.requestsTo(/^POST \/upload/).length <= 2);
  });

  it("submits nothing when it is stopped while files are staged", async () => {
    google.server.fail({ match: /^PUT \/upload/, answer: "hang" });
    const stop = new AbortController();
    const onProgress = ({ event }: SubmissionProgress): void => {
      if (event === "staging") stop.abort();
    };
    await assert.rejects(run({ signal: stop.signal, onProgress }), InterruptedError);
    assert.equal(created(), 0);
  });

  it("waits for the response when it is stopped after the request was sent", async () => {
    const stop = new AbortController();
    const onProgress = ({ event }: SubmissionProgress): void => {
      if (event === "submitting") stop.abort();
    };
    assert.equal(await run({ signal: stop.signal, onProgress }), google.dataflow.jobs[0]?.id);
  });

  it("stops waiting for the response after the time limit, and reports that the job may exist", async () => {
    google.server.fail({ match: /^POST .*\/jobs$/, answer: "hang" });
    const stop = new AbortController();
    const onProgress = ({ event }: SubmissionProgress): void => {
      if (event === "submitting") stop.abort();
    };
    await assert.rejects(
      run({ signal: stop.signal, onProgress, responseTimeoutMs: 300 }),
      /no response for 0\.3 s\n.*may have been created.*eventlogger status --job-name small/,
    );
  });

  it("stops a submitter without progress, and shows the log of one that crashes", async () => {
    const program = join(dir, "program");
    const becomes = (script: string): void => writeFileSync(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    becomes("sleep 60");
    await assert.rejects(run({ python: program, stallMs: 300 }), /Cannot submit the job: no progress for 0\.3 s/);
    becomes("echo no module named apache_beam >&2; exit 3");
    await assert.rejects(run({ python: program }), /exited \(exit code 3\)\n[^]*no module named apache_beam/);
  });
});
