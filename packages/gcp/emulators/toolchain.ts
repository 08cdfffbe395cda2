import { createRequire } from "node:module";
import { join } from "node:path";
import { packageRoot } from "@eventlogger/process/packageRoot";

/** See toolchain.cjs, which is not compiled, so that it works before anything is. */
interface Toolchain {
  missingPrerequisites: () => Promise<string[]>;
  nodeProblem: (version: string) => string | undefined;
  javaProblem: (versionOutput: string | undefined) => string | undefined;
  javaCommand: () => string;
  findPubSubEmulatorJar: () => Promise<string | undefined>;
}

const toolchain = createRequire(__filename)(join(packageRoot, "local", "toolchain.cjs")) as Toolchain;

export const { missingPrerequisites, nodeProblem, javaProblem, javaCommand, findPubSubEmulatorJar } = toolchain;
