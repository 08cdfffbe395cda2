import { createRequire } from "node:module";
import { join } from "node:path";
import { packageRoot } from "./packageRoot";

export interface Python {
  readonly command: string;
  /** Such as `3.11.7`. */
  readonly version: string;
  /** Whether it has what makes environments. */
  readonly canMakeEnvironments: boolean;
}

/** See toolchain.cjs, which is not compiled, so that it works before anything is. */
interface Toolchain {
  missingPrerequisites: () => Promise<string[]>;
  nodeProblem: (version: string) => string | undefined;
  javaProblem: (versionOutput: string | undefined) => string | undefined;
  javaCommand: () => string;
  findPython: () => Promise<Python | undefined>;
  findPubSubEmulatorJar: () => Promise<string | undefined>;
}

const toolchain = createRequire(__filename)(join(packageRoot, "local", "toolchain.cjs")) as Toolchain;

export const { missingPrerequisites, nodeProblem, javaProblem, javaCommand, findPython, findPubSubEmulatorJar } =
  toolchain;
