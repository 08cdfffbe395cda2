import assert from "node:assert/strict";
import { EXPIRED } from "@eventlogger/gcp/testing/fakeCredentials";
import { startFakeGoogle, type FakeGoogle } from "@eventlogger/gcp/testing/fakeGoogle";
import { googleError } from "@eventlogger/gcp/testing/fakeServer";
import { eventlogger, type CliRun } from "../testing/eventlogger";

describe("eventlogger status, drain, cancel and logs", () => {
  let google: FakeGoogle;
  before(async () => (google = await startFakeGoogle()));
  beforeEach(() => google.reset());
  after(() => google.stop());

  const run = (command: string, ...args: string[]): Promise<CliRun> => {
    const where = ["--project", google.project, "--region", google.region, "--dataflow-endpoint", google.endpoint];
    return eventlogger([command, ...where, ...args], { env: google.env });
  };

  it("status prints an active job and one that has ended, as text and as JSON", async () => {
    const ended = google.dataflow.add({ name: "rollups", currentState: "JOB_STATE_UPDATED", replacedByJobId: "next" });
    const { id } = google.dataflow.add({
      name: "rollups",
      labels: { team: "data" },
      environment: { workerPools: [{ sdkHarnessContainerImages: [{ containerImage: "r/worker:1" }] }] },
    });
    const [text, json, old] = await Promise.all([
      run("status", "--job-name", "rollups"),
      run("status", "--job-name", "rollups", "--json"),
      run("status", "--job-id", ended.id, "--json"),
    ]);
    assert.equal(text.code, 0, text.stderr);
    assert.match(text.stdout, new RegExp(`^job +rollups \\(${id}\\)\nstate +running since .*\n`));
    assert.match(
      text.stdout,
      /labels +team=data\nimage +r\/worker:1\nconsole +https:\/\/console\.cloud\.google\.com\//,
    );
    const document = JSON.parse(json.stdout) as Record<string, unknown>;
    assert.equal(document.id, id);
    assert.equal(document.state, "JOB_STATE_RUNNING");
    assert.equal(document.ended, false);
    assert.equal((JSON.parse(old.stdout) as Record<string, unknown>).replacedBy, "next");
  });

  it("status requires one choice of a job, and reports a job that does not exist", async () => {
    const [both, neither, none] = await Promise.all([
      run("status", "--job-name", "a", "--job-id", "2026-01-01_00_00_00-1", "--region", "Here"),
      run("status"),
      run("status", "--job-name", "a"),
    ]);
    assert.equal(both.code, 2);
    assert.match(
      both.stderr,
      /2 problems\n.*--region \(REGION\) must be[^]*--job-name .* cannot be combined with --job-id/,
    );
    assert.equal(neither.code, 2);
    assert.match(neither.stderr, /--job-name \(JOB_NAME\) or --job-id \(JOB_ID\) is required/);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /No active job is named a in project fake-project, region europe-west1/);
  });

  it("drain requests a drain, and with --wait waits until the job has drained", async () => {
    const { id } = google.dataflow.add({ name: "rollups" });
    const { code, stdout, stderr } = await run("drain", "--job-name", "rollups", "--wait", "--json");
    assert.equal(code, 0, stderr);
    const document = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual([document.id, document.state, document.ended], [id, "JOB_STATE_DRAINED", true]);
    assert.match(stderr, /^requested to drain job rollups \(.*\)\ndraining\ndrained\n$/);
    const again = await run("drain", "--job-id", id);
    assert.match(again.stdout, /is already drained\n/);
    assert.equal(again.code, 0);
    assert.equal(google.server.requestsTo(/^PUT/).length, 1);
  });

  it("cancel requests cancellation without waiting, and fails for a job that has ended in another state", async () => {
    const { id } = google.dataflow.add({ name: "rollups" });
    const failed = google.dataflow.add({ name: "rollups", currentState: "JOB_STATE_FAILED" });
    const [cancelled, refused] = await Promise.all([
      run("cancel", "--job-name", "rollups"),
      run("cancel", "--job-id", failed.id),
    ]);
    assert.equal(cancelled.code, 0, cancelled.stderr);
    assert.match(cancelled.stdout, /to cancel job rollups \(.*\)\njob rollups \(.*\) is cancelling\n$/);
    assert.deepEqual(JSON.parse(String(google.server.requestsTo(/^PUT/)[0]?.body)), {
      requestedState: "JOB_STATE_CANCELLED",
    });
    assert.equal(google.dataflow.jobs.find((job) => job.id === id)?.currentState, "JOB_STATE_CANCELLING");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /Cannot cancel job .*: it is failed/);
  });

  it("logs prints the last messages, and with --follow new messages until the job has ended", async () => {
    const job = google.dataflow.add({ name: "rollups" });
    const { id } = job;
    const say = (second: number, importance: string): void =>
      void google.dataflow.messages.push({
        id: `m${second}`,
        time: `2026-01-01T00:00:0${second}.5Z`,
        messageText: `text ${second}`,
        messageImportance: `JOB_MESSAGE_${importance}`,
      });
    for (let second = 0; second < 6; second++) say(second, second % 2 ? "ERROR" : "BASIC");
    const [errors, json] = await Promise.all([
      run("logs", "--job-id", id, "--min-importance", "error", "--limit", "2"),
      run("logs", "--job-id", id, "--json"),
    ]);
    assert.equal(
      errors.stdout,
      "2026-01-01T00:00:03.5Z error    text 3\n2026-01-01T00:00:05.5Z error    text 5\n",
      errors.stderr,
    );
    assert.equal((JSON.parse(json.stdout) as { messages: unknown[] }).messages.length, 6);
    const requests = google.server.requestsTo(/messages$/).length;
    const following = run("logs", "--job-id", id, "--follow", "--limit", "1");
    while (google.server.requestsTo(/messages$/).length < requests + 3) await new Promise((go) => setTimeout(go, 20));
    say(7, "BASIC");
    job.currentState = "JOB_STATE_DRAINED";
    assert.equal(
      (await following).stdout,
      `2026-01-01T00:00:05.5Z error    text 5\n2026-01-01T00:00:07.5Z basic    text 7\njob rollups (${id}) is drained\n`,
    );
    assert.match(
      (await run("logs", "--job-id", id, "--follow", "--json")).stderr,
      /--json .* cannot be combined with --follow/,
    );
  });

  it("tell how to log in, name missing permissions, and retry while the service is unavailable", async () => {
    google.dataflow.add({ name: "rollups" });
    google.server.fail({ match: /^GET .*\/jobs$/, answer: googleError(503, "try later"), times: 2 });
    assert.equal((await run("status", "--job-name", "rollups")).code, 0);
    google.server.fail({
      match: /^PUT/,
      answer: googleError(403, "Missing permission dataflow.jobs.cancel."),
      times: 1,
    });
    const denied = await run("cancel", "--job-name", "rollups");
    assert.equal(denied.code, 1);
    assert.match(denied.stderr, /^error: Cannot cancel job .*HTTP 403.*\n.*permission dataflow\.jobs\.cancel /);
    google.server.fail({ match: /token/, answer: EXPIRED });
    const expired = await run("drain", "--job-name", "rollups", "--json");
    assert.deepEqual([expired.code, expired.stdout], [1, ""]);
    assert.match(
      expired.stderr,
      /No valid Google credentials: .*invalid_grant[^]*gcloud auth application-default login/,
    );
  });
});
