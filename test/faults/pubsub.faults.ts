import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually, useIngest } from "../../ingest/testing/fixture";
import { startRelay, type Relay } from "../../ingest/testing/relay";
import { metricsOf } from "../../ingest/testing/metrics";
import { memoryText, printFigures, recoveryText, statusesText, topicText } from "./figures";
import { MemoryWatch } from "./memory";
import { RecordingLoad } from "./recordingLoad";
import { TopicReader } from "./topicReader";

/** Within so long after Pub/Sub is back everything is answered by 2xx again, ms. */
const RECOVERED_WITHIN_MS = 5000;
const WARM_UP_MS = 8000;

interface Fault {
  readonly name: string;
  readonly durationMs: number;
  begin(relay: Relay, emulatorPid: number): unknown;
  end(relay: Relay, emulatorPid: number): unknown;
  /** Some events get through while it lasts. */
  readonly isPartial?: boolean;
}

const FAULTS: readonly Fault[] = [
  {
    name: "cannot be reached for 20 s",
    durationMs: 20_000,
    begin: (relay) => relay.cut(),
    end: (relay) => relay.restore(),
  },
  {
    name: "swallows all that is sent for 20 s, on new connections as well, which stay dead",
    durationMs: 20_000,
    begin: (relay) => relay.swallow(),
    end: (relay) => relay.restore(),
  },
  {
    name: "is slow for 20 s: 200 ms each way, and of ten pieces that are sent one resets the connection",
    durationMs: 20_000,
    begin: (relay) => relay.setConditions({ delayMs: 200, resetEvery: 10 }),
    end: (relay) => relay.setConditions({ delayMs: 0, resetEvery: 0 }),
    isPartial: true,
  },
  {
    name: "is frozen for 30 s",
    durationMs: 30_000,
    begin: (_, pid) => process.kill(pid, "SIGSTOP"),
    end: (_, pid) => process.kill(pid, "SIGCONT"),
  },
];

describe("under load Pub/Sub", function () {
  this.timeout(180_000);
  const ingest = useIngest();

  for (const [i, fault] of FAULTS.entries()) {
    it(fault.name, async () => {
      const emulatorPid = ingest.emulator.process.pid;
      const reader = await TopicReader.create(ingest.pubsub, `pubsub-fault-${i}`);
      const relay = await startRelay(ingest.emulator.host);
      const replica = await ingest.startReplica({ TOPIC: reader.topic, PUBSUB_EMULATOR_HOST: relay.host });
      const load = new RecordingLoad({ port: replica.port, run: `fault-${i}` });
      try {
        await sleep(WARM_UP_MS);
        const memory = new MemoryWatch(replica.process.pid);
        const before = load.acknowledged.length;
        assert.equal(load.failures, 0, "before the fault all is well");

        await fault.begin(relay, emulatorPid);
        const atBegin = load.acknowledged.length;
        let during: number;
        try {
          await sleep(fault.durationMs);
          during = load.acknowledged.length - atBegin;
          if (!fault.isPartial) {
            const ready = await fetch(`${replica.url}/readyz`);
            assert.equal(ready.status, 503, "health tells");
            assert.equal((await fetch(`${replica.url}/healthz`)).status, 200);
          }
        } finally {
          load.mark();
          await fault.end(relay, emulatorPid);
        }
        await eventually(
          async () => load.recovery().firstSuccessMs !== Infinity && (await fetch(`${replica.url}/readyz`)).status === 200,
          "ready",
          RECOVERED_WITHIN_MS,
        ).catch((error: unknown) => printFigures(String(error)));
        await sleep(2 * RECOVERED_WITHIN_MS);
        await load.stop();

        const recovery = load.recovery();
        const contents = await reader.readToEnd(load.acknowledged);
        const figures = await memory.settle();
        const metrics = await metricsOf(replica.url);
        printFigures(
          recoveryText(recovery),
          `${statusesText(load.statuses)}; ${before} events before, ${during} during the fault`,
          topicText(contents, load.acknowledged.length),
          memoryText(figures),
        );
        assert.deepEqual(contents.missing, []);
        assert.ok(recovery.firstSuccessMs < RECOVERED_WITHIN_MS, recoveryText(recovery));
        assert.ok(recovery.lastFailureMs < RECOVERED_WITHIN_MS, recoveryText(recovery));
        assert.ok(figures.after <= memory.bound, memoryText(figures));
        for (const held of ["ingest_events_in_flight", "ingest_bytes_in_flight", "ingest_body_bytes"]) {
          assert.equal(metrics.get(held), 0, held);
        }
        assert.equal((await fetch(`${replica.url}/readyz`)).status, 200);
      } finally {
        await load.stop();
        await replica.process.stop();
        await reader.close();
        await relay.stop();
      }
    });
  }
});
