import type { Command } from "./command";
import { generateCommand } from "./generate";
import { setupCommand } from "./setup";
import { verifyCommand } from "./verify";

/** In the order of use. */
export const commands: readonly Command[] = [setupCommand, generateCommand, verifyCommand];
