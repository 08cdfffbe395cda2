import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestReplica } from "@eventlogger/ingest/testing/fixture";
import { useIngest } from "@eventlogger/ingest/testing/fixture";
import { printFigures } from "./faultReport";
import { nginxInstalled, testTierFault, type Tier } from "./tierFault";

/** Number of clients of the load: at most this many requests are in flight at a replica when it is killed. */
const CLIENTS = 28;

async function stopReplica(tier: Tier, signal: NodeJS.Signals): Promise<readonly string[]> {
  const victim = tier.replicas[1] as TestReplica;
  process.kill(victim.process.pid, signal);
  const status = await victim.process.exited;
  if (signal === "SIGTERM") assert.deepEqual(status, { code: 0, signal: null });
  const after = tier.load.acknowledged.length;
  await sleep(4000);
  const meanwhile = tier.load.acknowledged.length - after;
  assert.ok(meanwhile > 0, "the other replicas accept events");
  await tier.restart(1);
  return [`${tier.load.failures} requests failed; the other replicas accepted ${meanwhile} events in 4 s`];
}

(nginxInstalled ? describe : describe.skip)("Replicas behind nginx under load", function () {
  this.timeout(120_000);
  const ingest = useIngest();

  it("only the requests in flight at a killed replica fail, and they are retried", async () => {
    const act = (tier: Tier): Promise<readonly string[]> => stopReplica(tier, "SIGKILL");
    printFigures(...(await testTierFault(ingest, { run: "killed", replicas: 3, maxFailures: CLIENTS, act })));
  });

  it("no request fails when a replica is stopped gracefully", async () => {
    const act = (tier: Tier): Promise<readonly string[]> => stopReplica(tier, "SIGTERM");
    printFigures(...(await testTierFault(ingest, { run: "stopped", replicas: 3, maxFailures: 0, act })));
  });
});
