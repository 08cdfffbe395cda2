import assert from "node:assert/strict";
import { waitUntil } from "@eventlogger/process/wait";
import { memoryText, statusesText, topicText } from "./faultReport";
import { MemoryWatch } from "./memory";
import type { RecordingLoad } from "./recordingLoad";
import { assertHealthy } from "./replicaHealth";
import type { TopicReader } from "./topicReader";

/** Time for the load to run without a failure, ms. A busy machine may need several attempts. */
const STEADY_TIMEOUT_MS = 60_000;

/** A fault of a service under load. */
export interface LoadTest {
  readonly reader: TopicReader;
  readonly load: RecordingLoad;
  /** Process whose memory is compared. */
  readonly pid: number;
  /** Load without a failure before the fault, ms: long enough for memory to reach its level. */
  readonly warmUpMs: number;
  /**
   * Causes the fault once before memory is measured. Memory that a process keeps after the first time (heap, buffers of
   * sockets) does not count, only memory that grows each time.
   */
  prepare?(): Promise<unknown>;
  /** Causes the fault, ends it, and leaves load on for a while. @returns figures of its own */
  act(): Promise<readonly string[]>;
  /** The replicas that must be healthy afterwards. */
  urls(): readonly string[];
}

/** Waits until the load has run for a time without a failure. @throws TimeoutError */
export async function waitForSteadyLoad(load: RecordingLoad, steadyMs: number): Promise<void> {
  const isSteady = (): boolean => load.acknowledged.length > 0 && load.msSinceFailure >= steadyMs;
  await waitUntil(`${steadyMs} ms of load without a failed request`, isSteady, {
    timeoutMs: STEADY_TIMEOUT_MS,
    details: () => statusesText(load.statuses),
  });
}

/**
 * Runs a fault under load.
 * @returns figures to print
 * @throws AssertionError when an acknowledged event is lost, memory has grown, or a replica is not healthy afterwards
 */
export async function runLoadTest(test: LoadTest): Promise<readonly string[]> {
  const { reader, load } = test;
  await waitForSteadyLoad(load, test.warmUpMs);
  await test.prepare?.();
  const memory = new MemoryWatch(test.pid);
  const own = await test.act();
  await load.stop();

  const contents = await reader.readToEnd(load.acknowledged);
  const memoryFigures = await memory.settle();
  const figures = [
    ...own,
    `answers to the load: ${statusesText(load.statuses)}`,
    topicText(contents, load.acknowledged.length),
    memoryText(memoryFigures),
  ];
  const text = figures.join("\n");
  assert.deepEqual(contents.missing, [], text);
  assert.ok(memoryFigures.after <= memory.bound, text);
  for (const url of test.urls()) await assertHealthy(url);
  return figures;
}
