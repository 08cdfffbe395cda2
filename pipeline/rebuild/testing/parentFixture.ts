import { RunChild } from "../flink/runChild";

/** A process that starts a child as a rebuild does, prints its process id, and waits until it is killed. */
const [logFile = "", ...args] = process.argv.slice(2);
const child = RunChild.start(2, args, logFile);
process.stdout.write(`${child.pid}\n`);
setInterval(() => {}, 1000);
