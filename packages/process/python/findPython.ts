import { tryCommand } from "../tryCommand";

export interface Python {
  readonly command: string;
  /** Such as `3.11.7`. */
  readonly version: string;
  /** Whether it can create virtual environments. */
  readonly canCreateEnvironments: boolean;
}

/** Minor version of the oldest supported Python, 3.11. */
export const PYTHON_MINOR = 11;

// Debian ships the modules for virtual environments in a separate package.
const PROBE = "import sys; print(sys.version.split()[0])\nimport ensurepip, venv; print('venv')";

/**
 * The first Python 3.11 or newer on the path, preferably one that can create virtual environments; undefined when the
 * path has no such Python.
 */
export async function findPython(): Promise<Python | undefined> {
  let without: Python | undefined;
  for (const command of ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"]) {
    const { output } = await tryCommand(command, ["-c", PROBE]);
    const match = /^3\.(\d+)\.\S+/.exec(output);
    if (!match || Number(match[1]) < PYTHON_MINOR) continue;
    const found = { command, version: match[0], canCreateEnvironments: /^venv$/m.test(output) };
    if (found.canCreateEnvironments) return found;
    without ??= found;
  }
  return without;
}
