/**
 * Opens the state directory that is the argument, starts a process that outlives this one, says so in one line, and keeps
 * the directory until it is killed.
 */
import { spawn } from "node:child_process";
import { StateDirectory } from "../stateDirectory";

StateDirectory.open(process.argv[2] as string).then(
  (state) => {
    const child = spawn("sleep", ["300"], { stdio: "ignore", detached: true });
    state.recordChildren([child.pid as number]);
    console.log(`pid ${process.pid} opened`);
    setInterval(() => {}, 1000);
  },
  (error: unknown) => console.log(`refused: ${String(error)}`),
);
