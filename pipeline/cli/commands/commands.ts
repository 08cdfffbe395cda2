import { cancelCommand } from "./cancel";
import type { Command } from "./command";
import { deadLettersCommand } from "./deadLetters";
import { drainCommand } from "./drain";
import { generateCommand } from "./generate";
import { generationsCommand } from "./generations";
import { launchCommand } from "./launch";
import { logsCommand } from "./logs";
import { rebuildCommand } from "./rebuild";
import { refreshCommand } from "./refresh";
import { replayCommand } from "./replay";
import { restoreCommand } from "./restore";
import { runCommand } from "./run";
import { setupCommand } from "./setup";
import { snapshotCommand } from "./snapshot";
import { statusCommand } from "./status";
import { tailCommand } from "./tail";
import { traceCommand } from "./trace";
import { updateCommand } from "./update";
import { verifyCommand } from "./verify";
import { workerPoolCommand } from "./workerPool";

/** All commands, in the order of `--help`. */
export const commands: readonly Command[] = [
  setupCommand,
  runCommand,
  launchCommand,
  statusCommand,
  logsCommand,
  updateCommand,
  drainCommand,
  cancelCommand,
  generateCommand,
  tailCommand,
  traceCommand,
  deadLettersCommand,
  refreshCommand,
  verifyCommand,
  generationsCommand,
  rebuildCommand,
  replayCommand,
  snapshotCommand,
  restoreCommand,
  workerPoolCommand,
];
