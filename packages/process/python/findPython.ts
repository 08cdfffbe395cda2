import { tryCommand } from "../tryCommand";

export interface Python {
  readonly command: string;
  /** Such as `3.11.7`. */
  readonly version: string;
  /** Whether it can create virtual environments. */
  readonly canMakeEnvironments: boolean;
}

/** The oldest Python that works is 3.11. */
export const PYTHON_MINOR = 11;

// Debian has the modules for virtual environments in a package of its own.
const PROBE = "import sys; print(sys.version.split()[0])\nimport ensurepip, venv; print('venv')";

/**
 * The first Python of at least 3.11 on the path, preferably one that can create virtual environments; undefined when
 * there is no such Python.
 */
export async function findPython(): Promise<Python | undefined> {
  let without: Python | undefined;
  for (const command of ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"]) {
    const { output } = await tryCommand(command, ["-c", PROBE]);
    const match = /^3\.(\d+)\.\S+/.exec(output);
    if (!match || Number(match[1]) < PYTHON_MINOR) continue;
    const found = { command, version: match[0], canMakeEnvironments: /^venv$/m.test(output) };
    if (found.canMakeEnvironments) return found;
    without ??= found;
  }
  return without;
}
