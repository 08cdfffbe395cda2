import assert from "node:assert/strict";
import type { Generation } from "@eventlogger/gcp/bigquery/generations";
import { abortRebuild } from "./abort";
import type { RebuildReporter } from "./context";
import { DefinitionsDifferError, type WantedDefinitions } from "./definitions";
import { RebuildLostError, RebuildRunningError } from "./owner";
import { rebuild, RebuildRefusedError, type RebuildResult } from "./rebuild";
import type { RebuildRecord } from "./record";
import type { RebuildServices, RebuildTimes } from "./services";
import { Killed } from "./testing/killable";
import { World } from "./testing/world";

const TIMES: RebuildTimes = {
  ...{ leaseMs: 60_000, renewMs: 60_000, pollMs: 0, recordMs: 0, clockSkewMs: 2000, receiverSkewMs: 10_000 },
  ...{ previousLimitMs: 200, progressLimitMs: 200, compareMs: 0, settleMs: 0, verifyLimitMs: 500 },
};
const SILENT: RebuildReporter = { phase: () => {}, say: () => {}, doing: () => {}, rows: () => {} };
const WANTED: WantedDefinitions = {
  ...{ sessionGapMs: 5000, timeZone: undefined, from: undefined, keepOld: undefined, takeOver: undefined },
};
const never = new AbortController().signal;

function start(
  services: RebuildServices,
  wanted: Partial<WantedDefinitions> = {},
  report: Partial<RebuildReporter> = {},
  signal = never,
): Promise<RebuildResult> {
  return rebuild({
    services,
    wanted: { ...WANTED, ...wanted },
    newState: () => ({ shardHashSecret: "00", stateFormat: 3 }),
    report: { ...SILENT, ...report },
    signal,
    times: TIMES,
  });
}

const abort = (services: RebuildServices): ReturnType<typeof abortRebuild> =>
  abortRebuild({ services, report: SILENT, signal: never, times: TIMES });

/** Lets the running pipelines process everything, and checks that nothing is lost, wrong or left. */
function assertRebuilt(world: World): void {
  world.pass();
  world.pass();
  const [first, second] = world.generations as [Generation, Generation];
  assert.deepEqual([first.status, second.status, second.rebuild], ["retired", "active", null]);
  assert.equal(second.settings.sessionGapMs, 5000);
  assert.deepEqual([...world.subscriptions.keys()].sort(), ["sub-g2", "sub-replay-g2"]);
  assert.deepEqual([...world.topics].sort(), ["events", "events-replay-g2"]);
  assert.deepEqual([...world.states], [2]);
  assertComplete(world, 2);
  assertSeen(world);
}

/** A generation counts every published event, and `events` has a row of each. */
function assertComplete(world: World, generation: number): void {
  const sorted = (events: Iterable<number>): number[] => [...events].sort((a, b) => a - b);
  assert.deepEqual(sorted(world.pipelines.get(generation)?.counted ?? []), sorted(world.published));
  assert.deepEqual(sorted(world.rows), sorted(world.published));
}

/** Readers saw first the old and then the new generation, and no number that lacks more than the events in flight. */
function assertSeen({ seen, vanished }: World): void {
  assert.deepEqual([seen, vanished], [[1, 2], []]);
}

describe("rebuild", () => {
  it("computes the next generation beside the active one, switches readers, and removes what belongs to the old one", async () => {
    const world = new World();
    const phases: string[] = [];
    const result = await start(world.services(), {}, { phase: (phase) => phases.push(phase) });
    assert.deepEqual(result, { previous: 1, generation: 2, keepOld: false, takeOver: false });
    assert.deepEqual(phases, ["creating", "replaying", "catching up", "verifying", "activating", "retiring"]);
    assertRebuilt(world);
  });

  it("killed at any call, before or after its effect, the same command goes on to the same end", async () => {
    const whole = new World();
    await start(whole.services());
    assert.ok(whole.calls > 30, `${whole.calls} calls`);
    for (let call = 1; call <= whole.calls; call++) {
      for (const when of ["before", "after"] as const) {
        const world = new World();
        await start(world.services({ call, when })).then(
          () => {},
          (error: unknown) => assert.ok(error instanceof Killed, String(error)),
        );
        // Some time until somebody notices.
        for (let i = 0; i < 60; i++) world.pass();
        const isFinished = world.generations[1]?.status === "active" && world.generations[1].rebuild === null;
        if (!isFinished) await start(world.services());
        try {
          assertRebuilt(world);
        } catch (cause) {
          throw new Error(`killed ${when} call ${call}`, { cause });
        }
      }
    }
  });

  it("killed again and again, each time after one call more, it reaches the same end", async () => {
    for (const when of ["before", "after"] as const) {
      const world = new World();
      let kills = 0;
      for (let call = 1; ; call++) {
        const ended = await start(world.services({ call, when })).then(
          () => true,
          (error: unknown) => {
            assert.ok(error instanceof Killed, String(error));
            return false;
          },
        );
        if (ended || (world.generations[1]?.status === "active" && world.generations[1].rebuild === null)) break;
        kills++;
      }
      assert.ok(kills > 10, `${kills} kills`);
      assertRebuilt(world);
    }
  });

  it("events of a killed worker that are redelivered late are in the new numbers, whenever that is", async () => {
    const whole = new World();
    await start(whole.services());
    let vanished = 0;
    for (let call = 1; call <= whole.calls + 1; call++) {
      const world = new World();
      // Received by a worker that died with it: in no table yet, and unknown to the pipeline.
      const event = world.published[20] as number;
      world.rows.delete(event);
      world.pipelines.get(1)?.counted.delete(event);
      world.leased.push(event);
      world.onCall = () => {
        if (world.calls === call) world.redeliver();
      };
      await start(world.services());
      vanished += world.vanished.splice(0).length;
      assertRebuilt(world);
    }
    // Only when it is redelivered right between the last count of rows and the switch, readers miss it until the old pipeline has ended.
    assert.ok(vanished <= 3, `${vanished} times`);
  });

  it("aborted after a kill at any call, also when the abort is killed, it leaves the old generation as it was", async () => {
    const whole = new World();
    await start(whole.services());
    for (let call = 1; call <= whole.calls; call++) {
      const world = new World();
      await start(world.services({ call, when: "after" })).catch(() => {});
      const status = world.generations[1]?.status;
      if (status === undefined || world.generations[1]?.rebuild === null) continue;
      if (status === "active") {
        await assert.rejects(abort(world.services()), RebuildRefusedError);
        continue;
      }
      for (let step = 1; world.generations[1]?.rebuild !== null; step++) {
        await abort(world.services({ call: step, when: step % 2 ? "after" : "before" })).catch((error: unknown) =>
          assert.ok(error instanceof Killed, String(error)),
        );
      }
      world.pass();
      assert.deepEqual(
        world.generations.map((row) => row.status),
        ["active", "retired"],
      );
      assert.deepEqual([...world.subscriptions.keys()], ["sub", "sub-replay-g1"]);
      assert.deepEqual([[...world.topics], [...world.states]], [["events", "events-replay-g1"], [1]]);
      assertComplete(world, 1);
      // The next rebuild has the next id.
      assert.equal((await start(world.services())).generation, 3);
    }
  });

  it("a second rebuild is refused while the first one runs, and neither changes the other", async () => {
    const world = new World();
    const first = start(world.services());
    await assert.rejects(start(world.services()), RebuildRunningError);
    await first;
    assertRebuilt(world);
  });

  it("of two rebuilds that begin at the same moment, one is refused", async () => {
    for (let delay = 0; delay < 12; delay++) {
      const world = new World();
      const first = start(world.services());
      for (let i = 0; i < delay; i++) await Promise.resolve();
      const results = await Promise.allSettled([first, start(world.services())]);
      const failures = results.filter((result) => result.status === "rejected").map(({ reason }) => reason as Error);
      assert.equal(failures.length, 1, `delay ${delay}`);
      assert.ok(failures[0] instanceof RebuildRunningError, failures[0]?.stack);
      assertRebuilt(world);
    }
  });

  it("a process that has lost the rebuild to another one changes nothing more", async () => {
    const world = new World();
    const services = world.services();
    const compare = services.verifier.compare.bind(services.verifier);
    services.verifier.compare = async (...args) => {
      world.kill(); // another process believes that this one has ended, and takes over
      await start(world.services());
      return compare(...args);
    };
    await assert.rejects(start(services), RebuildLostError);
    assertRebuilt(world);
  });

  it("another process may take over a rebuild when its time is over, also on another host", async () => {
    const world = new World();
    await start(world.services({ call: 20, when: "after" })).catch(() => {});
    const setOwner = (changes: object): void => {
      world.generations = world.generations.map((row) => {
        const record = row.rebuild as RebuildRecord | null;
        return record?.owner ? { ...row, rebuild: { ...record, owner: { ...record.owner, ...changes } } } : row;
      });
    };
    setOwner({ host: "other", expiresAt: new Date(world.clock + 60_000).toISOString() });
    await assert.rejects(start(world.services()), (error: Error) => {
      assert.ok(error instanceof RebuildRunningError);
      assert.match(error.message, /on other/);
      return true;
    });
    setOwner({ expiresAt: new Date(world.clock - 1).toISOString() });
    await start(world.services());
    assertRebuilt(world);
  });

  it("going on with other definitions is refused with both, and without any goes on with those of the rebuild", async () => {
    const world = new World();
    await start(world.services({ call: 20, when: "after" })).catch(() => {});
    await assert.rejects(
      start(world.services(), { sessionGapMs: 7000, timeZone: "Europe/Berlin", countBots: true }),
      (error: Error) => {
        assert.ok(error instanceof DefinitionsDifferError);
        assert.match(error.message, /--session-gap is 5s there, but 7s here/);
        assert.match(error.message, /--time-zone is UTC there, but Europe\/Berlin here/);
        assert.match(error.message, /--count-bots is not set there, but set here/);
        return true;
      },
    );
    await start(world.services(), { sessionGapMs: undefined });
    assertRebuilt(world);
  });

  it("is refused without a run of the active generation, whose unread events would be missing", async () => {
    const world = new World();
    const run = world.pipelines.get(1);
    if (run) run.isRunning = false;
    await assert.rejects(start(world.services()), /--take-over/);
    assert.equal(world.generations.length, 1);
  });

  it("--take-over reads on from the subscription of a generation whose state is lost, and loses none of its backlog", async () => {
    const world = new World();
    const lost = world.pipelines.get(1);
    if (lost) lost.isRunning = false;
    for (let i = 0; i < 5; i++) world.pass();
    const result = await start(world.services(), { takeOver: true });
    assert.equal(result.takeOver, true);
    const next = world.pipelines.get(2);
    if (next) next.isRunning = true; // the person starts `run`
    world.pass();
    assertComplete(world, 2);
    assert.deepEqual([...world.subscriptions.keys()].sort(), ["sub", "sub-replay-g2"]);
    assert.deepEqual([...world.states], [2]);
  });

  it("--take-over is refused while a run computes the active generation", async () => {
    await assert.rejects(start(new World().services(), { takeOver: true }), /--take-over is for a lost state/);
  });

  it("--keep-old switches readers, and leaves the old generation running until it is removed", async () => {
    const world = new World();
    await start(world.services(), { keepOld: true });
    assert.deepEqual(
      world.generations.map(({ status }) => status),
      ["building", "active"],
    );
    const next = world.pipelines.get(2);
    if (next) next.isRunning = true; // the person starts `run --generation 2`
    world.pass();
    assertComplete(world, 1);
    assertComplete(world, 2);
    await assert.rejects(start(world.services()), /Generation 1 is kept for a comparison/);
    await abort(world.services());
    assert.deepEqual([world.generations[0]?.status, [...world.states]], ["retired", [2]]);
    assert.deepEqual([...world.subscriptions.keys()].sort(), ["sub-g2", "sub-replay-g2"]);
  });

  it("--from is refused when rows were received earlier, because users would count as new", async () => {
    const world = new World();
    await assert.rejects(start(world.services(), { from: "2024-03-02" }), /--from 2024-03-02 would leave out 9 rows/);
    await start(world.services(), { from: "2024-03-01" });
    assertRebuilt(world);
  });

  it("numbers that differ from the raw rows are not activated, and the message names the days", async () => {
    const world = new World();
    const services = world.services();
    services.verifier.compare = async () => {
      const differences = [{ date: "2024-03-01", number: "session_count", expected: 9, actual: 8 } as const];
      return { equalDays: 0, differences, unexplained: differences };
    };
    await assert.rejects(start(services), /2024-03-01 {2}session_count is 8, but 9 according to the raw events/);
    assert.deepEqual(
      world.generations.map(({ status }) => status),
      ["active", "building"],
    );
    await start(world.services());
    assertRebuilt(world);
  });

  it("a retention that differs from the raw rows is not activated, and the message names the cohort", async () => {
    const world = new World();
    const services = world.services();
    services.verifier.compareRetention = async () => {
      const differences = [{ cohortWeek: "2024-02-26", weekOffset: 1, expected: 9, actual: 8 }];
      return { equalCohorts: 0, differences, unexplained: differences };
    };
    await assert.rejects(start(services), /2024-02-26 {2}retention in week 1 is 8, but 9 according to the raw events/);
    assert.deepEqual(
      world.generations.map(({ status }) => status),
      ["active", "building"],
    );
    await start(world.services());
    assertRebuilt(world);
  });

  it("a pipeline without progress ends the command with what to do, and the rebuild can go on", async () => {
    const world = new World();
    const services = world.services();
    const observe = services.driver.observe.bind(services.driver);
    services.driver.observe = async (generation) => ({
      ...(await observe(generation)),
      publishedUntil: { live: undefined, replay: undefined },
    });
    await assert.rejects(
      start(services),
      /The pipeline of generation 1 makes no progress .*The same command then goes on/s,
    );
    await start(world.services());
    assertRebuilt(world);
  });

  it("stopped by a person at any call, it releases the rebuild, and the same command goes on at once", async () => {
    const whole = new World();
    await start(whole.services());
    for (let call = 1; call <= whole.calls; call += 3) {
      const world = new World();
      const stop = new AbortController();
      const services = world.services();
      const list = services.store.list.bind(services.store);
      services.store.list = async () => {
        if (world.calls >= call) stop.abort(new Error("stopped by a person"));
        return list();
      };
      const observe = services.driver.observe.bind(services.driver);
      services.driver.observe = async (generation) => {
        if (world.calls >= call) stop.abort(new Error("stopped by a person"));
        return observe(generation);
      };
      await start(services, {}, {}, stop.signal).catch((error: unknown) =>
        assert.equal((error as Error).message, "stopped by a person"),
      );
      const record = world.generations[1]?.rebuild as RebuildRecord | null | undefined;
      if (record) {
        assert.equal(record.owner, null);
        await start(world.services());
      }
      if (world.generations[1]) assertRebuilt(world);
    }
  });
});
