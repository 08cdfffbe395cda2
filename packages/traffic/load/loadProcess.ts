import { fork } from "node:child_process";
import { batchBodies, eventBodies } from "./eventBodies";
import { postLoad, type LoadResult } from "./loadClient";

/** Load for `POST /event/` or `POST /events/` of a server on 127.0.0.1. */
export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  /** How long requests are started; ms. */
  readonly durationMs: number;
  /** Events per batch. Without it, every request sends one event. */
  readonly batch?: number;
}

export interface LoadReport extends LoadResult {
  /** CPU time of the client; ms. Close to the elapsed time, it means that the client was the bottleneck. */
  readonly clientCpuMs: number;
}

/** Runs the load client in a separate process. @throws Error when that process exits without a report */
export function postLoadFromProcess(order: LoadOrder): Promise<LoadReport> {
  return new Promise((resolve, reject) => {
    const child = fork(__filename, [], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    child.once("message", (report: LoadReport) => resolve(report));
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      reject(new Error(`The load client exited without a report (${signal ?? code})`)),
    );
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
