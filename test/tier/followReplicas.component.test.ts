import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, request, type RequestListener } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { eventually } from "@eventlogger/ingest/testing/fixture";
import { post, sampleEvent } from "@eventlogger/ingest/testing/requests";
import { freePort, isPortFree } from "@eventlogger/process/ports";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { findNginx } from "@eventlogger/nginx/findNginx";
import { startDnsServer, type TestDnsServer } from "@eventlogger/nginx/testing/dnsServer";
import { noContent, startUpstream, type TestUpstream } from "@eventlogger/nginx/testing/upstream";

const MAIN = join(repositoryRoot, "nginx", "dist", "main.js");
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

const isReachable = (url: string): Promise<boolean> =>
  fetch(url).then(
    () => true,
    () => false,
  );

/** Whether the port of a URL accepts connections. */
const isListening = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.on("error", () => resolve(false));
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });

/** Whether a worker of nginx accepts no more connections. It shows that in its process title. */
const isShuttingDown = (pid: number): boolean => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("shutting down");

function workersOf(master: number): number[] {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  return stdout
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parent === master)
    .map(([pid]) => pid as number);
}

(canRun ? describe : describe.skip)("nginx over replicas found by name (needs nginx, and Linux)", () => {
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
    const directory = join(parent, "created if", "missing");
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

  /** Waits until workers of nginx have gone: they answer what they have accepted with the addresses that they know. */
  const haveGone = (running: Running, workers: readonly number[]): Promise<void> =>
    eventually(
      () => workersOf(running.master()).every((worker) => !workers.includes(worker)),
      "the workers that were replaced have gone",
    );

  /** Sends requests one by one. @returns how many each replica got */
  async function share(url: string, n: number, replicas: readonly TestUpstream[]): Promise<number[]> {
    const before = replicas.map(({ requests }) => requests.length);
    for (let i = 0; i < n; i++) assert.equal((await post(url, sampleEvent())).status, 204);
    return replicas.map(({ requests }, i) => requests.length - (before[i] as number));
  }

  it("nginx distributes requests over all addresses of a name, and over new ones once they appear", async () => {
    const all = await Promise.all(["127.0.0.2", "127.0.0.3", "127.0.0.4"].map((host) => replica(host)));
    dns.set("api", ["127.0.0.3", "127.0.0.2"]);
    const running = await start();
    await listening(running);
    assert.deepEqual(await share(running.url, 20, all), [10, 10, 0]);
    const before = workersOf(running.master());
    dns.set("api", ["127.0.0.4", "127.0.0.2", "127.0.0.3"]);
    await eventually(() => running.log().includes("replicas: 2 -> 3"), "the third is noticed");
    await haveGone(running, before);
    // The pool may still hold a connection that the old worker has closed.
    await eventually(() => isReachable(running.url), "a new connection");
    assert.deepEqual(await share(running.url, 30, all), [10, 10, 10]);
  });

  it("nginx loses no request while replicas are added and removed under load", async () => {
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
    const kept = new WeakSet();
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
        const outcome = await send().catch((error: unknown) => (error as Error).message);
        if (outcome === 204) answered++;
        else failures.push(String(outcome));
      }
    });
    const more = async (n: number): Promise<void> => {
      const goal = answered + n;
      await eventually(() => answered >= goal, `${n} more answers`);
    };

    const steps = [hosts.slice(0, 2), hosts, hosts.slice(2), hosts.slice(0, 1)];
    let before: readonly number[] = [];
    for (const [i, addresses] of steps.entries()) {
      await more(200);
      before = workersOf(running.master());
      dns.set("api", addresses);
      await eventually(() => (running.log().match(/replicas: /g)?.length ?? 0) === i + 1, "the change is noticed");
    }
    // As containers do: the address is gone first, and the replica goes when nobody sends it requests any more.
    await haveGone(running, before);
    await Promise.all(all.slice(1).map((gone) => gone.drain()));
    await more(200);
    stop = true;
    await Promise.all(clients);
    assert.deepEqual(failures, []);
    assert.ok(sentAgain <= CLIENTS * steps.length, `${sentAgain} sent again`);
  });

  it("nginx is not reloaded while the addresses stay the same, in any order", async () => {
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

  it("nginx keeps serving while the name cannot be looked up, and logs the failure once", async () => {
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
    assert.equal(running.log().match(/keeping the last addresses/g)?.length, 1);
  });

  it("nginx/main waits for the first replica and can be stopped while it waits", async () => {
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

  it("nginx/main answers requests in flight after SIGTERM and after a reload, and exits with 0", async () => {
    const waiting: (() => void)[] = [];
    const hold: RequestListener = (_, res) => void waiting.push(() => res.writeHead(204).end());
    await replica("127.0.0.2", hold);
    dns.set("api", ["127.0.0.2"]);
    const running = await start();
    await listening(running);
    const [before] = workersOf(running.master());
    const first = post(running.url, sampleEvent());
    await eventually(() => waiting.length === 1, "a request in flight");
    process.kill(running.process.pid, "SIGHUP");
    await eventually(() => workersOf(running.master()).length === 2, "a new worker beside the old one");
    await eventually(() => isShuttingDown(before as number), "the old worker shuts down");
    const second = post(running.url, sampleEvent());
    await eventually(() => waiting.length === 2, "another request in flight");
    process.kill(running.process.pid, "SIGTERM");
    // Not by a request: one that is accepted would wait as the others do.
    await eventually(() => isPortFree(Number(new URL(running.url).port)), "no new connections are accepted");
    assert.ok(running.process.running);
    for (const answer of waiting) answer();
    assert.deepEqual([(await first).status, (await second).status], [204, 204]);
    assert.deepEqual(await running.process.exited, { code: 0, signal: null });
  });

  it("nginx/main closes connections that are not answered within the drain timeout", async () => {
    const silent = await replica("127.0.0.2", () => {});
    dns.set("api", ["127.0.0.2"]);
    const running = await start({ DRAIN_TIMEOUT: "300ms" });
    await listening(running);
    const master = running.master();
    const held = assert.rejects(post(running.url, sampleEvent()));
    await eventually(() => silent.requests.some((request) => request.startsWith("POST")), "a request in flight");
    assert.deepEqual(await running.process.stop(), { code: 0, signal: null });
    await held;
    assert.match(running.log(), /stopped by force/);
    assert.deepEqual(workersOf(master), []);
  });

  it("nginx/main exits with 1 when nginx exits for any reason, and leaves no process behind", async () => {
    await replica("127.0.0.2");
    dns.set("api", ["127.0.0.2"]);
    const running = await start();
    await listening(running);
    process.kill(running.master(), "SIGKILL");
    assert.deepEqual(await running.process.exited, { code: 1, signal: null });
    assert.match(running.log(), /nginx exited unexpectedly/);
    await eventually(async () => !(await isListening(running.url)), "no connections");
  });

  it("nginx/main prints the error of an nginx that cannot start", async () => {
    await replica("127.0.0.2");
    dns.set("api", ["127.0.0.2"]);
    const running = await start();
    await listening(running);
    const second = await start({ PORT: new URL(running.url).port });
    assert.deepEqual(await second.process.exited, { code: 1, signal: null });
    assert.match(second.log(), /nginx exited immediately:[^]*Address already in use/);
    assert.doesNotMatch(second.log(), /at .*\.js/);
  });

  it("nginx/main applies its options for limits, keys, origins and logs", async () => {
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
    // At most three at once; more only if the requests take longer than a second.
    assert.ok(refused.length >= 1 && refused.length <= 7, `${refused.length} of 10 were refused`);
    assert.equal(refused[0]?.headers.get("access-control-allow-origin"), origin);
    assert.equal((await post(running.url, "x".repeat(40_000), { "x-forwarded-for": "203.0.113.2" })).status, 413);
    await running.process.stop(20_000);
    assert.match(running.log(), /"method":"POST","path":"\/event\/","status":429/);
    assert.doesNotMatch(running.log(), /203\.0\.113/);
  });
});

describe("nginx/main", () => {
  const run = (args: readonly string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });

  it("nginx/main --help prints every option with its environment variable, and examples", () => {
    const { status, stdout } = run(["--help"]);
    assert.equal(status, 0);
    for (const name of ["upstreams", "resolve-interval", "dns-server", "batch-body-limit", "key-request-burst"]) {
      assert.ok(stdout.includes(`--${name} `), name);
      assert.ok(stdout.includes(`[$${name.replaceAll("-", "_").toUpperCase()}]`), name);
    }
    assert.match(stdout, /Examples:/);
  });

  it("nginx/main reports all invalid options together and exits with 2", () => {
    const { status, stderr } = run(["--port", "99999", "--access-log", "all"]);
    assert.equal(status, 2);
    assert.match(stderr, /--upstreams \(UPSTREAMS\) is required/);
    assert.match(stderr, /--port \(PORT\) must be/);
    assert.match(stderr, /--access-log \(ACCESS_LOG\) must be one of off, file, stdout/);
    assert.doesNotMatch(stderr, /at .*\.js/);
  });
});
