import type { Command } from "./command";

/**
 * A command by its name. Its module is loaded when the command is used: the clients of Google Cloud, of which most commands need one, take
 * half a second to load.
 */
export interface CommandEntry {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  load(): Promise<Command>;
}

/** All commands, in the order of `--help`. */
export const commands: readonly CommandEntry[] = [
  {
    name: "setup",
    summary: "Create schema, topics, subscriptions, dataset, tables, views and bucket",
    load: async () => (await import("./setup.js")).setupCommand,
  },
  {
    name: "run",
    summary: "Run the pipeline on Flink until Ctrl-C",
    load: async () => (await import("./run.js")).runCommand,
  },
  {
    name: "launch",
    summary: "Launch the pipeline on Dataflow",
    load: async () => (await import("./launch.js")).launchCommand,
  },
  {
    name: "status",
    summary: "Show the state of a job on Dataflow",
    load: async () => (await import("./status.js")).statusCommand,
  },
  {
    name: "logs",
    summary: "Show messages of a job on Dataflow",
    load: async () => (await import("./logs.js")).logsCommand,
  },
  {
    name: "update",
    summary: "Replace the running job on Dataflow with this version, and keep its state",
    load: async () => (await import("./update.js")).updateCommand,
  },
  {
    name: "drain",
    summary: "Drain a job on Dataflow: it finishes what it has read, then ends",
    load: async () => (await import("./drain.js")).drainCommand,
  },
  {
    name: "cancel",
    summary: "Cancel a job on Dataflow",
    load: async () => (await import("./cancel.js")).cancelCommand,
  },
  {
    name: "generate",
    summary: "Send synthetic traffic: users, sessions, delayed, repeated and old events",
    load: async () => (await import("./generate.js")).generateCommand,
  },
  {
    name: "report",
    summary: "Show the numbers of each day, or the values of a dimension with most events",
    load: async () => (await import("./report.js")).reportCommand,
  },
  {
    name: "tail",
    summary: "Show events while they arrive",
    load: async () => (await import("./tail.js")).tailCommand,
  },
  {
    name: "trace",
    summary: "Follow one event, and show where it is and for what it counts",
    load: async () => (await import("./trace.js")).traceCommand,
  },
  {
    name: "dead-letters",
    summary: "List dead letters, or send their events again",
    load: async () => (await import("./deadLetters.js")).deadLettersCommand,
  },
  {
    name: "refresh",
    summary: "Compute the breakdowns of the days with new events",
    load: async () => (await import("./refresh.js")).refreshCommand,
  },
  {
    name: "verify",
    summary: "Check that no accepted event is lost, and that the rollups equal the raw events",
    load: async () => (await import("./verify.js")).verifyCommand,
  },
  {
    name: "generations",
    summary: "List the generations of the numbers, or choose the one that readers see",
    load: async () => (await import("./generations.js")).generationsCommand,
  },
  {
    name: "rebuild",
    summary: "Compute the numbers again from the raw events, and switch readers to them in one step",
    load: async () => (await import("./rebuild.js")).rebuildCommand,
  },
  {
    name: "replay",
    summary: "Count stored events again in the ledgers of a generation",
    load: async () => (await import("./replay.js")).replayCommand,
  },
  {
    name: "snapshot",
    summary: "Copy the state of a run on Flink to a file, also while it works",
    load: async () => (await import("./snapshot.js")).snapshotCommand,
  },
  {
    name: "restore",
    summary: "Make a state directory from a snapshot",
    load: async () => (await import("./restore.js")).restoreCommand,
  },
  {
    name: "worker-pool",
    summary: "Start workers for a TaskManager of a Flink cluster",
    load: async () => (await import("./workerPool.js")).workerPoolCommand,
  },
];
