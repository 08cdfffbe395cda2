import type { Command } from "./command";
import { generateCommand } from "./generate";
import { runCommand } from "./run";
import { setupCommand } from "./setup";
import { verifyCommand } from "./verify";

/** In the order of use. */
export const commands: readonly Command[] = [setupCommand, runCommand, generateCommand, verifyCommand];
