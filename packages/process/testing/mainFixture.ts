/** Programs for the tests of `runMain` and `onStopSignals`. */
import { runMain, UserError } from "../main";
import { onStopSignals } from "../stopSignals";

const programs: Readonly<Record<string, () => Promise<number | void>>> = {
  async returnsNothing() {
    setInterval(() => {}, 1000); // the exit does not wait for open handles
  },
  async returnsCode() {
    return 3;
  },
  async userError() {
    throw new UserError("--port: 0 is not a port", { exitCode: 2 });
  },
  async error() {
    throw new Error("broken", { cause: new Error("the disk is full") });
  },
  throwsAtOnce() {
    throw new Error("before the first await");
  },
  async stops() {
    const stop = onStopSignals({ onStop: (signal) => console.log(`stopping by ${signal}`) });
    console.log("ready");
    const signal = await new Promise((resolve) => {
      const timer = setInterval(() => {}, 1000);
      void stop.received.then((name) => {
        clearInterval(timer);
        resolve(name);
      });
    });
    console.log(`stopped by ${String(signal)}: ${(stop.signal.reason as Error).message}`);
    return 0;
  },
  async hangs() {
    onStopSignals({ onStop: (signal) => console.log(`stopping by ${signal}`) });
    console.log("ready");
    return new Promise(() => setInterval(() => {}, 1000));
  },
  async hangsInBeforeExit() {
    onStopSignals({
      onStop: () => console.log("stopping"),
      beforeExit: () => {
        console.log("cleaning up");
        return new Promise(() => {});
      },
      exitCode: 1,
    });
    console.log("ready");
    return new Promise(() => setInterval(() => {}, 1000));
  },
  async disposes() {
    onStopSignals().dispose();
    console.log("ready");
    return new Promise(() => setInterval(() => {}, 1000));
  },
};

const program = programs[process.argv[2] ?? ""];
if (!program) throw new Error(`No program ${process.argv[2]}`);
runMain(program);
