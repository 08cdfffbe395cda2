/** Benchmarks for the tests of `runBenchmark`: `node benchmarkFixture.js NAME`. */
import { join } from "node:path";
import { startChildProcess, type ChildProcess } from "@eventlogger/process/childProcess";
import { runBenchmark, type Cleanup } from "../runBenchmark";

/** Starts a process that starts another one, as nginx and npm do. */
function startPair(cleanup: Cleanup): Promise<ChildProcess> {
  return startChildProcess({
    name: "pair",
    command: "bash",
    args: ["-c", "sleep 1000 & wait"],
    logFile: join(cleanup.directory, "pair.log"),
  });
}

const untilStopped = ({ signal }: Cleanup): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));

const bodies: Readonly<Record<string, (cleanup: Cleanup) => Promise<void>>> = {
  async measures(cleanup) {
    const pair = await startPair(cleanup);
    cleanup.later(() => console.log("first step"));
    cleanup.later(() => pair.stop());
    cleanup.later(() => {
      throw new Error("this step fails");
    });
    console.log("ready");
    await untilStopped(cleanup);
  },
  async starts(cleanup) {
    const pair = await startPair(cleanup);
    console.log("ready");
    // As a wait for readiness: it ends when the process has exited, and only then adds the step.
    await pair.exited;
    const next = await startPair(cleanup);
    cleanup.later(() => next.stop());
    console.log("not reached");
  },
  async fails(cleanup) {
    const pair = await startPair(cleanup);
    cleanup.later(() => pair.stop());
    throw new Error("the benchmark failed");
  },
  async ends(cleanup) {
    const pair = await startPair(cleanup);
    cleanup.later(() => pair.stop());
  },
};

const body = bodies[process.argv[2] ?? ""];
if (!body) throw new Error(`No benchmark ${process.argv[2]}`);
runBenchmark("bench-fixture", body);
