"use strict";
// Plain JavaScript, for it is also used before anything is compiled.
const { execFile } = require("node:child_process");

/** Runs a short command; never rejects. The code is undefined when there is no such command or it took too long. */
function tryCommand(command, args, timeoutMs = 30_000) {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: timeoutMs, encoding: "utf8" }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : undefined;
      resolve({ code, output: stdout + stderr });
    });
  });
}

module.exports = { tryCommand };
