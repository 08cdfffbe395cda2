import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findNginx } from "@eventlogger/nginx/findNginx";
import { startUpstream, type TestUpstream } from "@eventlogger/nginx/testing/upstream";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { freePort } from "@eventlogger/process/ports";
import { answers, awaitReady } from "@eventlogger/process/readiness";
import { assembleImage } from "@eventlogger/tools/images/assemble";

/** Runs the contents of the nginx image as its Dockerfile does, without Docker. */
(findNginx() ? describe : describe.skip)("Contents of the nginx image (needs nginx)", () => {
  let directory: string;
  let app: string;
  let replica: TestUpstream;
  let nginx: ChildProcess | undefined;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "nginx-image-"));
    app = join(directory, "app");
    assembleImage("nginx", app);
    replica = await startUpstream((_, res) => res.writeHead(200).end());
  });
  after(async () => {
    await nginx?.stop();
    await replica?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it("the contents of the nginx image are enough for an nginx that forwards requests and stops gracefully", async () => {
    const port = String(await freePort());
    const healthcheck = (): Promise<unknown> =>
      promisify(execFile)(process.execPath, ["node_modules/@eventlogger/options/dist/healthcheck.js"], {
        cwd: app,
        env: { ...process.env, PORT: port },
      });
    await assert.rejects(healthcheck(), /ECONNREFUSED/);
    nginx = await startChildProcess({
      name: "nginx",
      command: process.execPath,
      args: ["node_modules/@eventlogger/nginx/dist/main.js"],
      cwd: app,
      env: {
        PORT: port,
        UPSTREAMS: `localhost:${replica.port}`,
        DIRECTORY: join(directory, "run"),
        ACCESS_LOG: "stdout",
      },
      logFile: join(directory, "nginx.log"),
    });
    await awaitReady(nginx, () => answers(`http://127.0.0.1:${port}/healthz`), 60_000);
    await healthcheck();
    assert.deepEqual(await nginx.stop(30_000), { code: 0, signal: null });
    assert.match(nginx.logTail(), /"path":"\/healthz","status":200/);
  });

  it("the nginx image contains no compiler, no Pub/Sub client and no Beam", () => {
    for (const name of ["typescript", "avsc", "apache-beam", "@google-cloud/pubsub"]) {
      assert.ok(!existsSync(join(app, "node_modules", name)), name);
    }
  });
});
