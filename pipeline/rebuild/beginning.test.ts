import assert from "node:assert/strict";
import type { Generation } from "@eventlogger/gcp/bigquery/generations";
import { horizonAt } from "@eventlogger/gcp/bigquery/retention/horizon";
import { ActiveJobError, isComputed, RowsDeletedError } from "./beginning";
import type { PipelineStatus, RebuildDriver } from "./driver";
import { rebuild } from "./rebuild";
import type { RebuildServices } from "./services";
import { World } from "./testing/world";

const UNKNOWN = { live: undefined, replay: undefined };

describe("the beginning of a rebuild", () => {
  it("is refused when rows are deleted, with the numbers that would not be exact, and can be accepted", async () => {
    const world = new World();
    const services = (): RebuildServices => {
      const all = world.services();
      return { ...all, rows: { ...all.rows, horizon: async () => horizonAt("2026-05-10") } };
    };
    const said: string[] = [];
    const start = (acceptDeletedRows: boolean): Promise<unknown> =>
      rebuild({
        services: services(),
        wanted: {
          ...{ sessionGapMs: 5000, timeZone: undefined, from: undefined, keepOld: undefined, takeOver: undefined },
          acceptDeletedRows,
        },
        newState: () => ({ shardHashSecret: "00", stateFormat: 3 }),
        report: { phase: () => {}, say: (line) => said.push(line), doing: () => {}, rows: () => {} },
        signal: new AbortController().signal,
        times: {
          ...{ leaseMs: 60_000, renewMs: 60_000, pollMs: 0, recordMs: 0, clockSkewMs: 2000, receiverSkewMs: 60_000 },
          ...{ previousLimitMs: 2000, progressLimitMs: 2000, compareMs: 0, settleMs: 0, verifyLimitMs: 2000 },
        },
      });
    await assert.rejects(start(false), (error) => {
      assert.ok(error instanceof RowsDeletedError);
      assert.match(error.message, /^Rows received before 2026-05-10 have been deleted[^]*--accept-deleted-rows$/);
      assert.match(error.message, /Exact from 2026-05-11 on: session_count/);
      return true;
    });
    assert.equal(world.generations.length, 1, "nothing was changed");
    await start(true);
    assert.equal(world.generations.at(-1)?.status, "active");
    assert.ok(said.some((line) => /new_user_count can be too high/.test(line)));
  });

  it("knows from the driver whether a job computes the active generation", async () => {
    const active = {
      ...(new World().generations[0] as Generation),
      lease: null,
      job: { runner: "dataflow", region: "europe-west1", name: "eventlogger", id: "1" },
    } as const;
    const driver = (runner: RebuildDriver["runner"], state: PipelineStatus["state"]): RebuildDriver =>
      ({
        runner,
        observe: async () => ({ state, detail: `job eventlogger (1) is ${state}`, publishedUntil: UNKNOWN }),
      }) as unknown as RebuildDriver;
    assert.equal(await isComputed(driver("dataflow", "running"), active, false), true);
    assert.equal(await isComputed(driver("dataflow", "failed"), active, true), false);
    const refused = async (one: RebuildDriver, takeOver: boolean, message: RegExp): Promise<void> => {
      await assert.rejects(isComputed(one, active, takeOver), (error) => {
        assert.ok(error instanceof ActiveJobError);
        assert.match(error.message, message);
        return true;
      });
    };
    await refused(
      driver("dataflow", "running"),
      true,
      /--take-over is for a lost state, but job eventlogger \(1\) is running/,
    );
    await refused(
      driver("dataflow", "failed"),
      false,
      /Nothing computes .* is failed\. Its state is lost.*`--take-over`/,
    );
    await refused(
      driver("flink", "absent"),
      false,
      /computed by job eventlogger in europe-west1 on Dataflow.*--runner dataflow/,
    );
    assert.equal(await isComputed(driver("flink", "absent"), { ...active, job: null }, false), false);
  });
});
