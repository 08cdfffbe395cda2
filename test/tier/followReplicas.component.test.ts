import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, request, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { eventually } from "@eventlogger/ingest/testing/fixture";
import { post, sampleEvent } from "@eventlogger/ingest/testing/requests";
import { freePort, isPortFree } from "@eventlogger/process/ports";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { findNginx } from "@eventlogger/nginx/findNginx";
import { startDnsServer, type TestDnsServer } from "@eventlogger/nginx/testing/dnsServer";
import { noContent, startUpstream, type TestUpstream } from "@eventlogger/nginx/testing/upstream";

const MAIN = join(repositoryRoot, "nginx", "dist", "main.js");
/** Names are looked up each second. */
const NOTICED_MS = 30_000;
/** Only Linux has all of 127.0.0.0/8 on its loopback interface. */
const canRun = findNginx() !== undefined && process.platform === "linux";

interface Running {
  readonly url: string;
  readonly directory: string;
  readonly process: ChildProcess;
  /** Of nginx itself, which starts the workers. */
  master(): number;
  log(): string;
}

function workersOf(master: number): number[] {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  return stdout
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parent === master)
    .map(([pid]) => pid as number);
}

(canRun ? describe : describe.skip)("nginx over replicas found by name (needs nginx, and Linux)", function () {
  this.timeout(180_000);
  const cleanUp: (() => unknown)[] = [];
  let dns: TestDnsServer;
  /** Of all replicas, as in containers. */
  let port: number;

  beforeEach(async () => {
    dns = await startDnsServer();
    cleanUp.push(() => dns.close());
    port = await freePort();
  });
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });

  async function replica(host: string, answer: RequestListener = noContent): Promise<TestUpstream> {
    const upstream = await startUpstream(answer, host, port);
    cleanUp.push(() => upstream.close());
    return upstream;
  }

  async function start(env: Readonly<Record<string, string>> = {}): Promise<Running> {
    const parent = mkdtempSync(join(tmpdir(), "nginx-main-"));
    cleanUp.push(() => rmSync(parent, { recursive: true }));
    const directory = join(parent, "made when", "absent");
    const listenPort = env["PORT"] ?? String(await freePort());
    const child = await startChildProcess({
      name: "nginx/main",
      command: process.execPath,
      args: [MAIN],
      env: { UPSTREAMS: `api:${port}`, DNS_SERVER: dns.address, PORT: listenPort, DIRECTORY: directory, ...env },
      logFile: join(parent, "log"),
    });
    cleanUp.push(() => child.stop());
    return {
      url: `http://127.0.0.1:${listenPort}`,
      directory,
      process: child,
      master: () => Number(readFileSync(join(directory, "nginx.pid"), "utf8")),
      log: () => child.logTail(1000),
    };
  }

  const listening = (running: Running): Promise<void> =>
    eventually(() => running.log().includes('"listening"'), "nginx listens");

  /** Sends requests one by one. @returns how many each replica got */
  async function share(url: string, n: number, replicas: readonly TestUpstream[]): Promise<number[]> {
    const before = replicas.map(({ requests }) => requests.length);
    for (let i = 0; i < n; i++) assert.equal((await post(url, sampleEvent())).status, 204);
    return replicas.map(({ requests }, i) => requests.length - (before[i] as number));
  }

  it("shares requests out over all addresses of a name, and soon over more of them", async () => {
    const all = await Promise.all(["127.0.0.2", "127.0.0.3", "127.0.0.4"].map((host) => replica(host)));
    dns.set("api", ["127.0.0.3", "127.0.0.2"]);
    const running = await start();
    await listening(running);
    assert.deepEqual(await share(running.url, 20, all), [10, 10, 0]);
    const before = workersOf(running.master());
    dns.set("api", ["127.0.0.4", "127.0.0.2", "127.0.0.3"]);
    await eventually(() => running.log().includes("replicas: 2 -> 3"), "the third is noticed", NOTICED_MS);
    await eventually(
      () => workersOf(running.master()).every((worker) => !before.includes(worker)),
      "the worker that was replaced has gone",
      NOTICED_MS,
    );
    // Until it is seen here that it closed an idle connection.
    await sleep(100);
    assert.deepEqual(await share(running.url, 30, all), [10, 10, 10]);
  });

  it("loses no request when replicas come and go under load", async () => {
    const slowly: RequestListener = (_, res) => void setTimeout(() => res.writeHead(204).end(), 20);
    const hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"];
    const all = await Promise.all(hosts.map((host) => replica(host, slowly)));
    dns.set("api", hosts);
    const running = await start();
    await listening(running);

    let stop = false;
    cleanUp.push(() => (stop = true));
    let answered = 0;
    let sentAgain = 0;
    const failures: string[] = [];
    const CLIENTS = 16;
    /** Connections that have carried an answer; Node's own note of it (`reusedSocket`) leaves some out. */
    const kept = new WeakSet<object>();
    const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
    cleanUp.push(() => agent.destroy());
    const body = JSON.stringify(sampleEvent());
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    /** As HTTP clients do: a request on a kept connection that ends without an answer goes over another one. */
    const send = (): Promise<number> =>
      new Promise((resolve, reject) => {
        const req = request(`${running.url}/event/`, { agent, method: "POST", headers }, (res) => {
          if (req.socket) kept.add(req.socket);
          res.resume().on("end", () => resolve(res.statusCode ?? 0));
          res.on("error", reject);
        });
        req.on("error", (error) => {
          if (!req.socket || !kept.has(req.socket)) return reject(error);
          sentAgain++;
          resolve(send());
        });
        req.end(body);
      });
    const clients = Array.from({ length: CLIENTS }, async () => {
      while (!stop) {
        const outcome = await send().catch((error: Error) => error.message);
        if (outcome === 204) answered++;
        else failures.push(String(outcome));
      }
    });
    const more = async (n: number): Promise<void> => {
      const goal = answered + n;
      await eventually(() => answered >= goal, `${n} more answers`);
    };

    const steps = [hosts.slice(0, 2), hosts, hosts.slice(2), hosts.slice(0, 1)];
    for (const [i, addresses] of steps.entries()) {
      await more(200);
      dns.set("api", addresses);
      await eventually(
        () => (running.log().match(/replicas: /g)?.length ?? 0) === i + 1,
        "the change is noticed",
        NOTICED_MS,
      );
    }
    // As containers do: the address is gone first, and the replica goes when it has answered what it has.
    await sleep(200);
    await Promise.all(all.slice(1).map((gone) => gone.drain()));
    await more(200);
    stop = true;
    await Promise.all(clients);
    assert.deepEqual(failures, []);
    assert.ok(sentAgain <= CLIENTS * steps.length, `${sentAgain} sent again`);
  });

  it("reloads nothing while the addresses stay the same, in whatever order", async () => {
    await Promise.all(["127.0.0.2", "127.0.0.3"].map((host) => replica(host)));
    dns.set("api", ["127.0.0.2", "127.0.0.3"]);
    const running = await start({ RESOLVE_INTERVAL: "100ms" });
    await listening(running);
    const workers = workersOf(running.master());
    assert.equal(workers.length, 1);
    const asked = dns.queries;
    await eventually(() => dns.queries >= asked + 5, "looked up again");
    dns.set("api", ["127.0.0.3", "127.0.0.2"]);
    await eventually(() => dns.queries >= asked + 10, "looked up again");
    assert.deepEqual(workersOf(running.master()), workers);
    assert.doesNotMatch(running.log(), /replicas: /);
  });

  it("keeps serving when the name cannot be looked up, and says so once", async () => {
    const [a] = [await replica("127.0.0.2")];
    dns.set("api", ["127.0.0.2"]);
    const running = await start({ RESOLVE_INTERVAL: "100ms" });
    await listening(running);
    const workers = workersOf(running.master());
    for (const state of ["fails", []] as const) {
      dns.set("api", state);
      const asked = dns.queries;
      await eventually(() => dns.queries >= asked + 5, "looked up again");
      assert.deepEqual(await share(running.url, 5, [a]), [5]);
    }
    assert.deepEqual(workersOf(running.master()), workers);
    assert.equal(running.log().match(/kept as they were/g)?.length, 1);
  });

  it("waits for the first replica, and can be stopped while it does", async () => {
    const running = await start({ RESOLVE_INTERVAL: "100ms" });
    await eventually(() => dns.queries >= 5, "looked up");
    await assert.rejects(fetch(running.url));
    assert.equal(running.log().match(/waiting for the first replica/g)?.length, 1);
    const [a] = [await replica("127.0.0.2")];
    dns.set("api", ["127.0.0.2"]);
    await listening(running);
    assert.deepEqual(await share(running.url, 3, [a]), [3]);

    dns.set("api", []);
    const other = await start();
    await eventually(() => other.log().includes("waiting"), "waits");
    assert.deepEqual(await other.process.stop(), { code: 0, signal: null });
  });

  it("answers what is under way at SIGTERM and after a reload, and exits with 0", async () => {
    const waiting: (() => void)[] = [];
    const hold: RequestListener = (_, res) => void waiting.push(() => res.writeHead(204).end());
    await replica("127.0.0.2", hold);
    dns.set("api", ["127.0.0.2"]);
    const running = await start();
    await listening(running);
    const [before] = workersOf(running.master());
    const first = post(running.url, sampleEvent());
    await eventually(() => waiting.length === 1, "a request under way");
    process.kill(running.process.pid, "SIGHUP");
    await eventually(() => workersOf(running.master()).length === 2, "a new worker beside the old one");
    assert.ok(workersOf(running.master()).includes(before as number));
    const second = post(running.url, sampleEvent());
    await eventually(() => waiting.length === 2, "another request under way");
    process.kill(running.process.pid, "SIGTERM");
    // Not by a request: one that is accepted would wait as the others do.
    await eventually(() => isPortFree(Number(new URL(running.url).port)), "no new connections are accepted");
    assert.ok(running.process.running);
    for (const answer of waiting) answer();
    assert.deepEqual([(await first).status, (await second).status], [204, 204]);
    assert.deepEqual(await running.process.exited, { code: 0, signal: null });
  });

  it("cuts what is not answered within the drain timeout", async () => {
    let isHeld = false;
    await replica("127.0.0.2", () => void (isHeld = true));
    dns.set("api", ["127.0.0.2"]);
    const running = await start({ DRAIN_TIMEOUT: "300ms" });
    await listening(running);
    const master = running.master();
    const held = assert.rejects(post(running.url, sampleEvent()));
    await eventually(() => isHeld, "the request is held");
    assert.deepEqual(await running.process.stop(), { code: 0, signal: null });
    await held;
    assert.match(running.log(), /stopped by force/);
    assert.deepEqual(workersOf(master), []);
  });

  it("ends with 1 when nginx does, however it does, and leaves nothing behind", async () => {
    await replica("127.0.0.2");
    dns.set("api", ["127.0.0.2"]);
    const running = await start();
    await listening(running);
    process.kill(running.master(), "SIGKILL");
    assert.deepEqual(await running.process.exited, { code: 1, signal: null });
    assert.match(running.log(), /nginx ended by itself/);
    await eventually(
      () =>
        fetch(running.url).then(
          () => false,
          () => true,
        ),
      "nobody listens",
    );
  });

  it("says what nginx says when it cannot start", async () => {
    await replica("127.0.0.2");
    dns.set("api", ["127.0.0.2"]);
    const running = await start();
    await listening(running);
    const second = await start({ PORT: new URL(running.url).port });
    assert.deepEqual(await second.process.exited, { code: 1, signal: null });
    assert.match(second.log(), /nginx ended at once:[^]*Address already in use/);
    assert.doesNotMatch(second.log(), /at .*\.js/);
  });

  it("takes requests of every client, key and page as its options say, and logs where they say", async () => {
    await replica("127.0.0.2");
    dns.set("api", ["127.0.0.2"]);
    const running = await start({
      ...{ HOST: "0.0.0.0", ADDRESS_REQUEST_LIMIT: "1", ADDRESS_REQUEST_BURST: "2", KEY_REQUEST_LIMIT: "100" },
      ...{ ADDRESS_CONCURRENCY: "50", TRUSTED_PROXIES: "127.0.0.1", CORS_ORIGINS: "https://shop.example" },
      ...{ BODY_LIMIT: "2048", BATCH_BODY_LIMIT: "100000", UPSTREAM_TIMEOUT: "5s", ACCESS_LOG: "stdout" },
    });
    await listening(running);
    const origin = "https://shop.example";
    const send = (): Promise<Response> =>
      post(running.url, sampleEvent(), { origin, "x-forwarded-for": "203.0.113.1" });
    const answers = await Promise.all(Array.from({ length: 10 }, send));
    const refused = answers.filter(({ status }) => status === 429);
    assert.ok(refused.length >= 6 && refused.length <= 7, `${refused.length} of 10 were refused`);
    assert.equal(refused[0]?.headers.get("access-control-allow-origin"), origin);
    assert.equal((await post(running.url, "x".repeat(40_000), { "x-forwarded-for": "203.0.113.2" })).status, 413);
    await running.process.stop(20_000);
    assert.match(running.log(), /"method":"POST","path":"\/event\/","status":429/);
    assert.doesNotMatch(running.log(), /203\.0\.113/);
  });
});

describe("nginx/main", function () {
  this.timeout(20_000);
  const run = (args: readonly string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });

  it("prints every option with its variable, and examples", () => {
    const { status, stdout } = run(["--help"]);
    assert.equal(status, 0);
    for (const name of ["upstreams", "resolve-interval", "dns-server", "batch-body-limit", "key-request-burst"]) {
      assert.ok(stdout.includes(`--${name} `), name);
      assert.ok(stdout.includes(`[$${name.replaceAll("-", "_").toUpperCase()}]`), name);
    }
    assert.match(stdout, /Examples:/);
  });

  it("says all that is wrong with its options at once, and exits with 2", () => {
    const { status, stderr } = run(["--port", "99999", "--access-log", "all"]);
    assert.equal(status, 2);
    assert.match(stderr, /--upstreams \(UPSTREAMS\) is required/);
    assert.match(stderr, /--port \(PORT\) must be/);
    assert.match(stderr, /--access-log \(ACCESS_LOG\) must be one of off, file, stdout/);
    assert.doesNotMatch(stderr, /at .*\.js/);
  });
});
