/**
 * Connects the data and state streams of a worker to its control stream: a worker that has lost one of them would fail
 * every bundle, and runners use the first stream of a worker only, so that a new one would never be used.
 */
import type { Worker } from "apache-beam/worker/worker";

type Listener = (worker: Worker, error: Error) => void;
let listener: Listener | undefined;

/** Sets what happens when a data or state stream of a worker breaks or ends. */
export function onStreamFailed(set: Listener): void {
  listener = set;
}

/** Called once for each stream that breaks or ends. */
export function streamFailed(worker: Worker, error: Error): void {
  listener?.(worker, error);
}
