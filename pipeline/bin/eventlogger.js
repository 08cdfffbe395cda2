#!/usr/bin/env node
"use strict";
const { existsSync } = require("node:fs");
const { join } = require("node:path");

const main = join(__dirname, "..", "dist", "pipeline", "cli", "main.js");
if (!existsSync(main)) {
  process.stderr.write("eventlogger is not built yet: run `npm ci && npm run build` in its folder first\n");
  process.exit(1);
}
require(main);
