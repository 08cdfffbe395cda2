/**
 * The pipeline of a generation that is being built, as a child of `rebuild`: `eventlogger run` that ends with its parent. The parent holds
 * the other end of the standard input, which the system closes also when the parent is killed.
 */
process.stdin.on("end", () => process.kill(process.pid, "SIGTERM"));
process.stdin.on("error", () => process.kill(process.pid, "SIGTERM"));
process.stdin.resume();

void import("../../cli/main.js");
