import { createRequire } from "node:module";
import { join } from "node:path";
import { packageRoot } from "../packageRoot";

export interface Python {
  readonly command: string;
  /** Such as `3.11.7`. */
  readonly version: string;
  /** Whether it has what makes environments. */
  readonly canMakeEnvironments: boolean;
}

const file = join(packageRoot, "pipeline", "python", "findPython.cjs");

export const { findPython } = createRequire(__filename)(file) as { findPython: () => Promise<Python | undefined> };
