import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@eventlogger/process/ports";
import { eventlogger, type CliRun } from "./testing/eventlogger";

/** Far less than the 83 to 91 s after which Google's clients give up, and generous for a busy machine; ms. */
const LIMIT_MS = 30_000;

/** No file with credentials, no metadata service, and no network that could have one. */
const NO_CREDENTIALS = { METADATA_SERVER_DETECTION: "none" };

describe("eventlogger without the services that it needs", () => {
  let directory: string;
  let closed: string;
  let listening: Server;
  let open: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "services-"));
    closed = `127.0.0.1:${await freePort()}`;
    listening = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
    open = `127.0.0.1:${(listening.address() as { port: number }).port}`;
  });
  after(async () => {
    await new Promise((resolve) => listening.close(resolve));
    rmSync(directory, { recursive: true });
  });

  async function failure(args: string[], env: Record<string, string> = {}): Promise<CliRun> {
    const startedAt = performance.now();
    const result = await eventlogger(args, { env: { HOME: directory, ...env }, cwd: directory });
    assert(performance.now() - startedAt < LIMIT_MS, `${args[0]} took too long`);
    assert.notEqual(result.code, 0);
    assert.equal(result.stdout, "");
    return result;
  }
  const JOB = ["--project", "my-project", "--region", "europe-west1", "--job-id", "2026-01-31_01"];
  const LAUNCH = [
    "--project",
    "my-project",
    "--region",
    "europe-west1",
    "--temp-location",
    "gs://bucket/temp",
    "--image",
    "w:1",
  ];

  it("setup, run, verify and dead-letters name the address and the setting of each emulator that is away", async () => {
    const env = { PUBSUB_EMULATOR_HOST: closed, BIGQUERY_ENDPOINT: `http://${closed}` };
    const pubsub = `Nothing answers at ${closed} (connection refused), the address of the Pub/Sub emulator in PUBSUB_EMULATOR_HOST. Start it, or correct PUBSUB_EMULATOR_HOST.\n`;
    const bigquery = `Nothing answers at http://${closed} (connection refused), the address of the BigQuery emulator in --bigquery-endpoint (BIGQUERY_ENDPOINT). `;
    for (const command of ["setup", "run"]) {
      const { code, stderr } = await failure([command], env);
      assert.equal(code, 1);
      assert(stderr.startsWith(`error: ${pubsub}${bigquery}`), stderr);
    }
    for (const command of [["verify"], ["dead-letters", "list"]]) {
      const { stderr } = await failure(command, env);
      assert(stderr.startsWith(`error: ${bigquery}`), stderr);
    }
    const resend = await failure(["dead-letters", "resend"], env);
    assert(resend.stderr.startsWith(`error: ${pubsub}${bigquery}`), resend.stderr);
    const oneAway = await failure(["setup"], { ...env, PUBSUB_EMULATOR_HOST: open });
    assert(oneAway.stderr.startsWith(`error: ${bigquery}`), oneAway.stderr);
  });

  it("setup names the Storage emulator that is away", async () => {
    const env = { PUBSUB_EMULATOR_HOST: open, BIGQUERY_ENDPOINT: `http://${open}`, STORAGE_EMULATOR_HOST: closed };
    const { stderr } = await failure(["setup", "--bucket", "gs://bucket"], env);
    assert.match(stderr, /^error: Nothing answers at .* the Storage emulator in STORAGE_EMULATOR_HOST\./);
  });

  it("status, logs, drain and cancel name the Dataflow endpoint that is away", async () => {
    for (const command of ["status", "logs", "drain", "cancel"]) {
      const { stderr } = await failure([command, ...JOB, "--dataflow-endpoint", `http://${closed}`]);
      assert.match(stderr, /^error: Nothing answers at .*, the address of the Dataflow API in --dataflow-endpoint /);
    }
  });

  it("setup, run and dead-letters resend refuse an emulator for only one of Pub/Sub and BigQuery, unless --mixed is given", async () => {
    for (const command of [["setup"], ["run"], ["dead-letters", "resend"]]) {
      const { code, stderr } = await failure([...command, "--project", "my-project"], { PUBSUB_EMULATOR_HOST: open });
      assert.equal(code, 2);
      assert.match(stderr, /PUBSUB_EMULATOR_HOST is set, but --bigquery-endpoint \(BIGQUERY_ENDPOINT\) is not/);
    }
    const bigqueryOnly = await failure(["run", "--project", "my-project", "--bigquery-endpoint", `http://${open}`]);
    assert.equal(bigqueryOnly.code, 2);
    assert.match(
      bigqueryOnly.stderr,
      /is set, but PUBSUB_EMULATOR_HOST is not, so Pub\/Sub would be Google's\. .*--mixed/,
    );
    const mixed = await failure(["setup", "--project", "my-project", "--mixed"], {
      ...NO_CREDENTIALS,
      PUBSUB_EMULATOR_HOST: open,
    });
    assert.equal(mixed.code, 1);
    assert.match(mixed.stderr, /^error: No valid Google credentials: /);
  });

  it("setup, run and verify require --project for Google's services", async () => {
    for (const command of ["setup", "run", "verify"]) {
      const { code, stderr } = await failure([command]);
      assert.equal(code, 2);
      assert.match(stderr, /--project \(PROJECT\) is required: the default demo-project is only for emulators/);
    }
  });

  it("setup, run, verify and launch tell how to log in when there are no credentials, as status does", async () => {
    for (const args of [
      ["setup", "--project", "my-project"],
      ["run", "--project", "my-project"],
      ["verify", "--project", "my-project"],
      ["status", ...JOB],
    ]) {
      const { code, stderr } = await failure(args, NO_CREDENTIALS);
      assert.equal(code, 1);
      assert.match(stderr, /^error: No valid Google credentials: /);
      assert.match(
        stderr,
        /\nLog in with `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS /,
      );
    }
    const launch = await eventlogger(["launch", ...LAUNCH], {
      env: { HOME: directory, ...NO_CREDENTIALS },
      cwd: directory,
    });
    assert.equal(launch.code, 1);
    assert.match(launch.stderr, /No valid Google credentials: .*\n *Log in with/);
  });

  it("verify reports that the session gap lacks a unit", async () => {
    const { code, stderr } = await failure(["verify", "--session-gap", "30"]);
    assert.equal(code, 2);
    assert.match(
      stderr,
      /--session-gap \(SESSION_GAP\) has no unit, so 30 means 30 milliseconds, .* such as 30s, 30m or 30h/,
    );
  });
});
