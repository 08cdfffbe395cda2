import assert from "node:assert/strict";
import { envName } from "@eventlogger/options/options";
import { ingestOptions } from "@eventlogger/ingest/options";
import { nginxOptions } from "@eventlogger/nginx/options";
import { answers } from "@eventlogger/process/readiness";
import { waitUntil } from "@eventlogger/process/wait";
import { docker } from "@eventlogger/tools/images/docker";
import { Traffic } from "../e2e/traffic";
import { compose, type ComposeClient } from "./compose";

const CLIENT = (process.env["COMPOSE_CLIENT"] ?? "docker compose").split(" ") as unknown as ComposeClient;
const URL = `http://127.0.0.1:${process.env["PORT"]}`;
const READY_LIMIT_MS = 180_000;
const EXACT_LIMIT_MS = 180_000;
/** Time for nginx to notice new and stopped replicas, ms. */
const FOLLOW_LIMIT_MS = 20_000;
/** Events per second while replicas are started and stopped. */
const RATE = 400;

type Service = "nginx" | "api" | "pubsub" | "bigquery" | "setup" | "pipeline" | "refresh";

interface Container {
  readonly Name: string;
  readonly RestartCount: number;
  readonly State: {
    readonly ExitCode: number;
    readonly Running: boolean;
    readonly Health?: { readonly Status: string };
  };
  readonly Image: string;
  readonly Config: { readonly User: string; readonly Env: readonly string[] };
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean;
    readonly Memory: number;
    readonly CapDrop: readonly string[] | null;
    readonly SecurityOpt: readonly string[] | null;
  };
}

/** Ids of the containers of a service, whether running or not. */
async function idsOf(service: Service): Promise<string[]> {
  return (await compose(CLIENT, ["ps", "--all", "--quiet", service])).split("\n").filter((id) => id);
}

async function inspect(ids: readonly string[]): Promise<Container[]> {
  return JSON.parse(await docker(["inspect", ...ids])) as Container[];
}

const containersOf = async (service: Service): Promise<Container[]> => inspect(await idsOf(service));

/** Standard output of the containers of a service since a time, epoch ms. */
async function logOf(service: Service, since = 0): Promise<string> {
  const logs = (await idsOf(service)).map((id) => docker(["logs", "--since", new Date(since).toISOString(), id]));
  return (await Promise.all(logs)).join("");
}

function eventually(what: string, timeoutMs: number, condition: () => Promise<boolean>): Promise<boolean> {
  return waitUntil(what, condition, { timeoutMs, intervalMs: 300 });
}

/** Kills the first process of a container whose command line contains a text, as a crash would. */
async function crash(id: string, text: string): Promise<void> {
  const script =
    'const fs = require("fs"); const pids = fs.readdirSync("/proc").filter((p) => /^[0-9]+$/.test(p) && p !== "1" && ' +
    'Number(p) !== process.pid && fs.readFileSync(`/proc/${p}/cmdline`, "utf8").includes(process.argv[1])); ' +
    'if (!pids.length) throw new Error("no such process"); process.kill(Number(pids[0]), "SIGKILL");';
  await docker(["exec", id, "node", "-e", script, text]);
}

/** Scales the ingest service and waits until nginx has noticed. */
async function scale(replicas: number): Promise<void> {
  const startedAt = Date.now();
  await compose(CLIENT, ["up", "--detach", "--no-recreate", "--scale", `api=${replicas}`, "api"]);
  const logLine = new RegExp(`"replicas: \\d+ -> ${replicas}"`);
  await eventually(`nginx to use ${replicas} replicas`, FOLLOW_LIMIT_MS, async () =>
    logLine.test(await logOf("nginx", startedAt)),
  );
}

/** The replicas that have served requests, from nginx's access log. */
function upstreams(log: string): Set<string> {
  const found = new Set<string>();
  for (const [, upstream] of log.matchAll(/"upstream":"([\d.]+:\d+)"/g)) found.add(upstream as string);
  return found;
}

/** Names of the environment variables that docker-compose.yml sets on a container, without those of its image. */
async function variables({ Image, Config }: Container): Promise<string[]> {
  const [image] = (await inspect([Image])) as [Container];
  return Config.Env.filter((line) => !image.Config.Env.includes(line)).map((line) => line.replace(/=.*/s, ""));
}

describe("docker-compose.yml: nginx, three replicas, emulators and the pipeline", function () {
  this.bail(true); // each test adds to the data of the one before
  const traffic = new Traffic(URL);

  afterEach(async function () {
    if (this.currentTest?.state !== "failed") return;
    console.log(await compose(CLIENT, ["ps", "--all"]));
    console.log(await compose(CLIENT, ["logs", "--no-color", "--tail", "30"]));
  });
  after(async () => {
    await compose(CLIENT, ["down", "--volumes"]);
  });

  it("docker compose starts everything with --scale api=3", async () => {
    await compose(CLIENT, ["up", "--detach", "--scale", "api=3"]);
    await eventually("a replica to be ready", READY_LIMIT_MS, () => answers(`${URL}/readyz`));
    assert.equal((await containersOf("api")).length, 3);
    for (const service of ["nginx", "api", "pubsub", "bigquery", "pipeline"] as const) {
      await eventually(`${service} to be healthy`, READY_LIMIT_MS, async () =>
        (await containersOf(service)).every(({ State }) => State.Health?.Status === "healthy"),
      );
    }
  });

  it("every container runs without root, on a read-only file system, within limits", async () => {
    for (const service of ["nginx", "api", "pubsub", "bigquery", "setup", "pipeline", "refresh"] as const) {
      for (const { Name, Config, HostConfig } of await containersOf(service)) {
        assert.equal(Config.User, "1000:1000", Name);
        assert.equal(HostConfig.ReadonlyRootfs, true, Name);
        assert.ok(HostConfig.Memory > 0, Name);
        assert.deepEqual(HostConfig.CapDrop, ["ALL"], Name);
        assert.deepEqual(HostConfig.SecurityOpt, ["no-new-privileges:true"], Name);
      }
    }
  });

  it("nginx and ingest get only variables that they know", async () => {
    const known = {
      nginx: Object.keys(nginxOptions).map(envName),
      api: [...Object.keys(ingestOptions).map(envName), "PUBSUB_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"],
    };
    for (const service of ["nginx", "api"] as const) {
      const [container] = (await containersOf(service)) as [Container];
      const given = await variables(container);
      assert.ok(given.length > 5, given.join());
      assert.deepEqual(
        given.filter((name) => !known[service].includes(name)),
        [],
        service,
      );
    }
  });

  it("the rollups are exact after 20,000 events through nginx and a replica killed half-way", async () => {
    const [victim] = (await idsOf("api")) as [string];
    await traffic.post({ shuffleWindow: 20_000 }, () => crash(victim, "node_modules/@eventlogger/ingest/dist/main.js"));
    await traffic.assertExact(EXACT_LIMIT_MS);
    assert.equal(upstreams(await logOf("nginx")).size, 3, "all replicas have served requests");
    await eventually("the killed replica to be restarted", READY_LIMIT_MS, async () => {
      const [container] = (await inspect([victim])) as [Container];
      return container.RestartCount === 1 && container.State.Health?.Status === "healthy";
    });
  });

  it("the rollups are exact after scaling to 5 replicas and to 2 under load", async () => {
    let seed = 2;
    let scaled = false;
    const scaling = (async () => {
      await scale(5);
      const fiveSince = Date.now();
      await eventually("all five replicas to serve requests", FOLLOW_LIMIT_MS, async () => {
        return upstreams(await logOf("nginx", fiveSince)).size === 5;
      });
      await scale(2);
    })().finally(() => (scaled = true));
    while (!scaled) await traffic.post({ seed: seed++, count: 1000, users: 500, shuffleWindow: 500 }, undefined, RATE);
    await scaling;
    assert.equal((await containersOf("api")).filter(({ State }) => State.Running).length, 2);
    await traffic.post({ seed, count: 1000, users: 500 });
    await traffic.assertExact(EXACT_LIMIT_MS);
  });

  it("the rollups are exact after the pipeline was killed half-way, and its container resumes from the checkpoint", async () => {
    const [id] = (await idsOf("pipeline")) as [string];
    await traffic.post({ seed: 1000, count: 4000, users: 500, shuffleWindow: 500 }, () => crash(id, "eventlogger.js"));
    await traffic.assertExact(EXACT_LIMIT_MS);
    const [{ RestartCount }] = (await inspect([id])) as [Container];
    assert.equal(RestartCount, 1);
    assert.match(await logOf("pipeline"), /resuming from checkpoint \d+/);
  });

  it("the rollups equal those that SQL computes from the raw events", async () => {
    const args = ["exec", "-T", "pipeline", "node", "pipeline/bin/eventlogger.js", "verify"];
    assert.match(await compose(CLIENT, args), /6 days equal/);
  });

  it("docker compose stop stops every service gracefully", async () => {
    await compose(CLIENT, ["stop"]);
    for (const service of ["nginx", "api", "pubsub", "bigquery", "pipeline", "refresh"] as const) {
      for (const { Name, State } of await containersOf(service)) assert.equal(State.ExitCode, 0, Name);
    }
  });
});
