import { setTimeout as sleep } from "node:timers/promises";
import { startChildProcess, type ChildProcessOptions } from "@eventlogger/process/childProcess";
import { runFigures, type RunFigures } from "../figures";
import type { Cleanup } from "../runBenchmark";
import { UsageMeter } from "../usageMeter";

const SAMPLE_MS = 200;

/** A peer: a program in another language that prints `first`, `progress …`, `problem …`, `read` and `exact`. */
export interface PeerProcess {
  readonly name: string;
  readonly events: number;
  /** A run whose totals are not exact after this time fails, ms. */
  readonly limitMs: number;
  readonly process: Omit<ChildProcessOptions, "onLine">;
  /** Whether the process is a JVM that does everything; otherwise it is the worker of the given JVMs. */
  readonly isJvm: boolean;
  readonly jvmPids?: () => readonly number[];
  readonly onProgress: (line: string) => void;
}

/** Runs a peer until its totals are exact, it exits, or the time is over, and then ends it. */
export async function runPeer(peer: PeerProcess, cleanup: Cleanup): Promise<RunFigures> {
  const { name, events, limitMs, onProgress } = peer;
  const times = { startedAt: NaN, readAt: NaN, exactAt: NaN };
  const problems: string[] = [];
  let totals = "";
  let reportExact!: () => void;
  const exact = new Promise<void>((resolve) => (reportExact = resolve));
  const groups: Record<string, () => readonly number[]> = {};
  const meter = new UsageMeter(groups);
  const onLine = (line: string): void => {
    const [word = "", rest = ""] = /^(\w+) ?(.*)$/.exec(line)?.slice(1) ?? [];
    switch (word) {
      case "first":
        meter.start();
        times.startedAt = performance.now();
        return;
      case "read":
        times.readAt = performance.now();
        return;
      case "progress":
        totals = rest;
        onProgress(`  ${((performance.now() - times.startedAt) / 1000).toFixed(0)} s: ${rest}`);
        return;
      case "exact":
        meter.sample();
        times.exactAt = performance.now();
        reportExact();
        return;
      default:
        problems.push(line);
    }
  };
  const child = await startChildProcess({ ...peer.process, onLine });
  cleanup.later(() => child.stop());
  if (peer.isJvm) groups["jvm"] = () => [child.pid];
  else Object.assign(groups, { jvm: peer.jvmPids ?? (() => []), worker: () => [child.pid] });

  const stopped = new AbortController();
  const sampling = (async () => {
    while (!stopped.signal.aborted) {
      meter.sample();
      await sleep(SAMPLE_MS);
    }
  })();
  const timer = new AbortController();
  const end = await Promise.race([
    exact.then(() => "exact" as const),
    child.exited.then(() => "exited" as const),
    sleep(limitMs, "too slow" as const, { signal: timer.signal }),
  ]).finally(() => timer.abort());
  stopped.abort();
  await sampling;
  if (end === "too slow") problems.push(`not exact after ${limitMs / 1000} s; ${totals}`);
  if (end === "exited") problems.push(`${name} exited. The end of its log:\n${child.logTail(30)}`);
  if (Number.isNaN(times.exactAt)) times.exactAt = performance.now();
  const figures = runFigures({ name, events, isExact: end === "exact", problems }, meter, times);
  await child.stop();
  cleanup.signal.throwIfAborted();
  return figures;
}
