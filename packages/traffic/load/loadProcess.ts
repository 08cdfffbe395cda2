import { fork } from "node:child_process";
import { batchBodies, eventBodies } from "./events";
import { postLoad, type LoadResult } from "./loadClient";

/** Load on `POST /event/`, or on `POST /events/`, of a server on 127.0.0.1. */
export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  readonly durationMs: number;
  /** Events of each body; without it they are sent one by one. */
  readonly batch?: number;
}

export interface LoadReport extends LoadResult {
  /** CPU time of the client, ms: when it comes near the elapsed time, the client was the limit. */
  readonly clientCpuMs: number;
}

/** Drives load from a process of its own. @throws Error when that process ends without a report. */
export function postLoadFromProcess(order: LoadOrder): Promise<LoadReport> {
  return new Promise((resolve, reject) => {
    const child = fork(__filename, [], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    child.once("message", (report: LoadReport) => resolve(report));
    child.once("error", reject);
    child.once("exit", (code, signal) => reject(new Error(`The load client ended early (${signal ?? code})`)));
    child.send(order);
  });
}

async function serve(order: LoadOrder): Promise<LoadReport> {
  const before = process.cpuUsage();
  const { batch } = order;
  const run = `run-${Date.now()}`;
  const body = batch === undefined ? eventBodies(run, Date.now()) : batchBodies(run, Date.now(), batch);
  const path = batch === undefined ? "/event/" : "/events/";
  const result = await postLoad({ host: "127.0.0.1", path, body, ...order });
  const { user, system } = process.cpuUsage(before);
  return { ...result, clientCpuMs: (user + system) / 1000 };
}

if (require.main === module) {
  process.once("message", (order: LoadOrder) => {
    void serve(order).then((report) => process.send?.(report, () => process.disconnect()));
  });
}
