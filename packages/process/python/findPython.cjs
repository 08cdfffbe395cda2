"use strict";
// Plain JavaScript, for it is also used before anything is compiled. Typed by findPython.ts.
const { tryCommand } = require("../tryCommand.cjs");

/** The oldest Python that is good enough is 3.11. */
const PYTHON_MINOR = 11;

/** The first Python of at least 3.11 on the path, if possible one that can make environments; undefined when none. */
async function findPython() {
  // Debian has the modules for environments in a package of its own.
  const code = "import sys; print(sys.version.split()[0])\nimport ensurepip, venv; print('venv')";
  let without;
  for (const command of ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"]) {
    const { output } = await tryCommand(command, ["-c", code]);
    const match = /^3\.(\d+)\.\S+/.exec(output);
    if (!match || Number(match[1]) < PYTHON_MINOR) continue;
    const found = { command, version: match[0], canMakeEnvironments: /^venv$/m.test(output) };
    if (found.canMakeEnvironments) return found;
    without ??= found;
  }
  return without;
}

module.exports = { findPython, PYTHON_MINOR };
