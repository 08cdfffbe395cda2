import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { freePort } from "@eventlogger/process/ports";
import { answers } from "@eventlogger/process/readiness";
import { markedProcesses } from "./mark";
import { startStack, type Stack } from "./stack";

const post = (url: string, event: object): Promise<Response> =>
  fetch(`${url}/event/`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(event),
  });

const anEvent = (): object => ({ type: "event", session_id: "s", event_name: "view", event_time: Date.now() });

async function waitFor(what: string, condition: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`Not within ${withinMs} ms: ${what}`);
    await sleep(100);
  }
}

describe("one-machine stack", function () {
  this.timeout(300_000); // the first run downloads the emulator and Flink
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

  /** Everything but the pipeline, which the end-to-end test covers. */
  async function start(lines: string[] = [], port?: number): Promise<Stack> {
    stack = await startStack({
      port: port ?? (await freePort()),
      localDir,
      pipeline: false,
      onProgress: (line) => lines.push(line),
    });
    return stack;
  }

  it("takes events, restarts a replica that dies, and leaves no process behind", async () => {
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
    await waitFor("the replica is back", () => {
      const now = pids()["ingest-1"];
      return now !== undefined && now !== before["ingest-1"];
    });
    assert.ok(lines.some((line) => /ingest-1 ended \(SIGKILL\); starting it again/.test(line)));
    for (let i = 0; i < 10; i++) assert.equal((await post(url, anEvent())).status, 204);
    assert.ok(existsSync(join(directory.logs, "pubsub-emulator.log")));
    const started = Date.now();
    await stop();
    assert.ok(Date.now() - started < 15_000);
    assert.deepEqual(markedProcesses(directory.id), []);
    assert.deepEqual(pids(), {});
  });

  it("serves by one replica where there is no nginx, and says so", async () => {
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
    assert.ok(lines.some((line) => /^no nginx .*one ingest replica/.test(line)));
  });

  it("hands the environment's options on to nginx, and tells which process died, with the end of its log", async () => {
    process.env["ADDRESS_REQUEST_LIMIT"] = "1";
    const { url, failed, pids } = await start().finally(() => delete process.env["ADDRESS_REQUEST_LIMIT"]);
    const statuses = await Promise.all(Array.from({ length: 10 }, async () => (await post(url, anEvent())).status));
    assert.deepEqual([...new Set(statuses)].sort(), [204, 429]);
    process.kill(pids()["BigQuery emulator"] as number, "SIGKILL");
    assert.match((await failed).message, /^BigQuery emulator ended \(SIGKILL\)\. The end of .*bigquery-emulator\.log:/);
  });

  it("refuses a directory in which a stack runs, and one that holds something else", async () => {
    await start();
    await assert.rejects(
      startStack({ port: await freePort(), localDir }),
      /A stack runs in .* already \(process \d+\)/,
    );
    const foreign = join(dir, "foreign");
    mkdirSync(foreign);
    writeFileSync(join(foreign, "thesis.txt"), "");
    await assert.rejects(
      startStack({ port: await freePort(), localDir: foreign }),
      /holds something else \(thesis\.txt\)/,
    );
    assert.ok(existsSync(join(foreign, "thesis.txt")));
  });

  it("refuses a port that is taken, before it starts anything", async () => {
    const server = createServer();
    server.listen(await freePort(), "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    await assert.rejects(startStack({ port, localDir }), new RegExp(`Port ${port} is taken.*PORT=${port + 1}`));
    assert.deepEqual(readdirSync(join(localDir, "logs")), []);
    server.close();
  });

  it("stops what it has started when it is aborted on the way", async () => {
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

  it("ends what a stack that was killed left behind, and starts from empty data", async () => {
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
    const next = await start(lines, port); // before anything can fail: it cleans up
    assert.equal(left, 4); // and nginx, which writes over its environment and is found by its recorded pid
    assert.ok(answered);
    assert.deepEqual(markedProcesses(id), []);
    assert.ok(lines.some((line) => /an earlier stack left behind: .*Pub\/Sub emulator/.test(line)));
    assert.ok(!existsSync(join(localDir, "bigquery", "left-behind")));
    assert.equal((await post(next.url, anEvent())).status, 204);
  });
});

describe("npm run up", function () {
  this.timeout(300_000);

  it("gets ready, counts an event, and stops at SIGTERM", async () => {
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
      await waitFor("ready", () => /^ready /m.test(output) || up.exitCode !== null, 240_000);
      assert.match(output, new RegExp(`^ready http://localhost:${port}$`, "m"));
      // The example as it is shown, through a shell as a user's.
      const example = /^ +(curl -i .*)$/m.exec(output)?.[1];
      assert.ok(example);
      const curl = spawn("sh", ["-c", example.replace("curl ", "curl -s ")], { stdio: ["ignore", "pipe", "inherit"] });
      assert.match(await text(curl.stdout), /^HTTP\/1.1 204/);
      const users = async (): Promise<number> => {
        const response = await fetch(`http://127.0.0.1:${port}/event/`);
        return ((await response.json()) as { total_users: number }).total_users;
      };
      await waitFor("the event is counted", async () => (await users()) === 1, 30_000);
    } finally {
      const { id } = JSON.parse(readFileSync(join(dir, "local", "stack.json"), "utf8")) as { id: string };
      const stoppedAt = Date.now();
      up.kill("SIGTERM");
      assert.deepEqual(await ended, [0, null]);
      assert.ok(Date.now() - stoppedAt < 15_000);
      assert.deepEqual(markedProcesses(id), []);
      rmSync(dir, { recursive: true });
    }
  });
});
