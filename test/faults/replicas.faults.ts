import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestReplica } from "@eventlogger/ingest/testing/fixture";
import { useIngest } from "@eventlogger/ingest/testing/fixture";
import { printFigures } from "./figures";
import { nginxInstalled, passTierFault, type Tier } from "./tier";

/** As many requests as can be under way at one replica when it dies: those of all clients of the load. */
const CLIENTS = 28;

async function end(tier: Tier, signal: NodeJS.Signals): Promise<readonly string[]> {
  const victim = tier.replicas[1] as TestReplica;
  process.kill(victim.process.pid, signal);
  const status = await victim.process.exited;
  if (signal === "SIGTERM") assert.deepEqual(status, { code: 0, signal: null });
  const after = tier.load.acknowledged.length;
  await sleep(4000);
  const meanwhile = tier.load.acknowledged.length - after;
  assert.ok(meanwhile > 0);
  await tier.restart(1);
  return [`${tier.load.failures} requests failed; ${meanwhile} events taken by the others in 4 s`];
}

(nginxInstalled ? describe : describe.skip)("one of three replicas behind nginx, under load", function () {
  this.timeout(120_000);
  const ingest = useIngest();

  it("is killed: what was under way there is sent again, and nothing else fails", async () => {
    const act = (tier: Tier): Promise<readonly string[]> => end(tier, "SIGKILL");
    printFigures(...(await passTierFault(ingest, { run: "killed", replicas: 3, maxFailures: CLIENTS, act })));
  });

  it("is stopped in order: no request fails", async () => {
    const act = (tier: Tier): Promise<readonly string[]> => end(tier, "SIGTERM");
    printFigures(...(await passTierFault(ingest, { run: "stopped", replicas: 3, maxFailures: 0, act })));
  });
});
