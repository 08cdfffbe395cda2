import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { answers } from "@eventlogger/process/readiness";
import { waitUntil } from "@eventlogger/process/wait";
import { markedProcesses } from "./processMarker";
import { startStack, type Stack } from "./stack";

const post = (url: string, event: object): Promise<Response> =>
  fetch(`${url}/event/`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(event),
  });

const anEvent = (): object => ({ type: "event", session_id: "s", event_name: "view", event_time: Date.now() });

/** A stop takes 15 s at most; the rest is for a busy machine, ms. */
const STOP_LIMIT_MS = 60_000;

describe("one-machine stack", () => {
  let dir: string;
  let localDir: string;
  let stack: Stack | undefined;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "stack-"));
    localDir = join(dir, "local");
  });
  afterEach(async () => {
    await stack?.stop();
    stack = undefined;
    rmSync(dir, { recursive: true });
  });

  /** Starts everything but the pipeline, which the end-to-end test covers. */
  async function start(lines: string[] = [], port?: number): Promise<Stack> {
    stack = await startStack({
      port: port ?? (await freePort()),
      localDir,
      pipeline: false,
      onProgress: (line) => lines.push(line),
    });
    return stack;
  }

  it("the local stack accepts events, restarts a killed replica, and leaves no process behind", async () => {
    const lines: string[] = [];
    const { url, pids, stop, directory } = await start(lines);
    assert.equal((await post(url, anEvent())).status, 204);
    const before = pids();
    assert.deepEqual(Object.keys(before).sort(), [
      "BigQuery emulator",
      "Pub/Sub emulator",
      "ingest-1",
      "ingest-2",
      "nginx",
    ]);
    process.kill(before["ingest-1"] as number, "SIGKILL");
    const isRestarted = (): boolean => ![undefined, before["ingest-1"]].includes(pids()["ingest-1"]);
    await waitUntil("the replica to be restarted", isRestarted);
    assert.ok(lines.some((line) => /ingest-1 exited \(SIGKILL\); restarting it/.test(line)));
    for (let i = 0; i < 10; i++) assert.equal((await post(url, anEvent())).status, 204);
    assert.ok(existsSync(join(directory.logs, "pubsub-emulator.log")));
    const started = Date.now();
    await stop();
    assert.ok(Date.now() - started < STOP_LIMIT_MS);
    assert.deepEqual(markedProcesses(directory.id), []);
    assert.deepEqual(pids(), {});
  });

  it("the local stack serves through one replica when nginx is not installed, and reports it", async () => {
    const lines: string[] = [];
    stack = await startStack({
      port: await freePort(),
      localDir,
      pipeline: false,
      nginx: false,
      onProgress: (line) => lines.push(line),
    });
    assert.equal((await post(stack.url, anEvent())).status, 204);
    assert.deepEqual(Object.keys(stack.pids()).sort(), ["BigQuery emulator", "Pub/Sub emulator", "ingest"]);
    assert.ok(lines.some((line) => /^nginx is not installed .*one ingest replica/.test(line)));
  });

  it("the local stack passes options of the environment to nginx, and reports which process was killed, with the end of its log", async () => {
    process.env["ADDRESS_REQUEST_LIMIT"] = "1";
    const { url, failed, pids } = await start().finally(() => delete process.env["ADDRESS_REQUEST_LIMIT"]);
    const statuses = await Promise.all(Array.from({ length: 10 }, async () => (await post(url, anEvent())).status));
    assert.deepEqual([...new Set(statuses)].sort(), [204, 429]);
    process.kill(pids()["BigQuery emulator"] as number, "SIGKILL");
    assert.match(
      (await failed).message,
      /^BigQuery emulator exited \(SIGKILL\)\. The end of .*bigquery-emulator\.log:/,
    );
  });

  it("the local stack refuses a directory of a running stack, and one that holds other files", async () => {
    await start();
    await assert.rejects(
      startStack({ port: await freePort(), localDir }),
      /Another stack is running in .* \(process \d+\)/,
    );
    const foreign = join(dir, "foreign");
    mkdirSync(foreign);
    writeFileSync(join(foreign, "thesis.txt"), "");
    await assert.rejects(
      startStack({ port: await freePort(), localDir: foreign }),
      /holds other files \(thesis\.txt\)/,
    );
    assert.ok(existsSync(join(foreign, "thesis.txt")));
  });

  it("the local stack refuses a port that is in use before it starts anything", async () => {
    const server = createServer();
    server.listen(await freePort(), "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    await assert.rejects(startStack({ port, localDir }), new RegExp(`Port ${port} is in use.*PORT=${port + 1}`));
    assert.deepEqual(readdirSync(join(localDir, "logs")), []);
    server.close();
  });

  it("the local stack stops everything it has started when its start is aborted", async () => {
    const abort = new AbortController();
    const lines: string[] = [];
    const starting = startStack({
      port: await freePort(),
      localDir,
      signal: abort.signal,
      onProgress: (line) => {
        lines.push(line);
        if (/BigQuery emulator ready/.test(line)) abort.abort(new Error("enough"));
      },
    });
    await assert.rejects(starting, /enough/);
    const { id } = JSON.parse(readFileSync(join(localDir, "stack.json"), "utf8")) as { id: string };
    assert.deepEqual(markedProcesses(id), []);
    assert.ok(!lines.some((line) => /replicas ready/.test(line)));
  });

  it("the local stack stops the leftovers of a killed stack and starts with empty data", async () => {
    const port = await freePort();
    const script = `
      const { startStack } = require(${JSON.stringify(join(repositoryRoot, "local", "dist", "stack", "stack.js"))});
      startStack({ port: ${port}, localDir: ${JSON.stringify(localDir)}, pipeline: false })
        .then((stack) => console.log(stack.directory.id));
      setInterval(() => {}, 1000);`;
    const owner = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    const [chunk] = (await once(owner.stdout, "data")) as [Buffer];
    const id = chunk.toString().trim();
    owner.kill("SIGKILL");
    await once(owner, "exit");
    const left = markedProcesses(id).length;
    const answered = await answers(`http://127.0.0.1:${port}/healthz`);
    writeFileSync(join(localDir, "bigquery", "left-behind"), "");
    const lines: string[] = [];
    const next = await start(lines, port); // before the first assertion, because it also cleans up
    assert.equal(left, 4); // without nginx, which overwrites its environment and is found by its recorded pid
    assert.ok(answered);
    assert.deepEqual(markedProcesses(id), []);
    assert.ok(lines.some((line) => /leftovers of an earlier stack: .*Pub\/Sub emulator/.test(line)));
    assert.ok(!existsSync(join(localDir, "bigquery", "left-behind")));
    assert.equal((await post(next.url, anEvent())).status, 204);
  });
});

describe("npm run up", () => {
  it("npm run up gets ready, counts an event, and stops at SIGTERM", async () => {
    const dir = mkdtempSync(join(tmpdir(), "up-"));
    const port = await freePort();
    const up = spawn(process.execPath, [join(repositoryRoot, "tools", "bootstrap.mjs"), "local/dist/up.js"], {
      env: { ...process.env, PORT: String(port), LOCAL_DIR: join(dir, "local") },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    up.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const ended = once(up, "exit");
    try {
      const isReady = (): boolean => /^ready /m.test(output) || up.exitCode !== null;
      await waitUntil("npm run up to be ready", isReady, { timeoutMs: 240_000, details: () => output });
      assert.match(output, new RegExp(`^ready http://localhost:${port}$`, "m"));
      // Runs the example as it is printed, through a shell as a user does.
      const example = /^ +(curl -i .*)$/m.exec(output)?.[1];
      assert.ok(example);
      const curl = spawn("sh", ["-c", example.replace("curl ", "curl -s ")], { stdio: ["ignore", "pipe", "inherit"] });
      assert.match(await text(curl.stdout), /^HTTP\/1.1 204/);
      const users = async (): Promise<number> => {
        const response = await fetch(`http://127.0.0.1:${port}/event/`);
        return ((await response.json()) as { total_users: number }).total_users;
      };
      await waitUntil("the event to be counted", async () => (await users()) === 1);
    } finally {
      const { id } = JSON.parse(readFileSync(join(dir, "local", "stack.json"), "utf8")) as { id: string };
      const stoppedAt = Date.now();
      up.kill("SIGTERM");
      assert.deepEqual(await ended, [0, null]);
      assert.ok(Date.now() - stoppedAt < STOP_LIMIT_MS);
      assert.deepEqual(markedProcesses(id), []);
      rmSync(dir, { recursive: true });
    }
  });
});
