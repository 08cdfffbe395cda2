import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";

describe("the integrity hash of the client script", () => {
  const script = readFileSync(require.resolve("@eventlogger/client/eventlogger.iife.js"));
  const integrity = `sha384-${createHash("sha384").update(script).digest("base64")}`;

  for (const page of ["docs/http-api.md", "packages/client/README.md"]) {
    it(`${page} shows the hash of the built script`, () => {
      const shown = readFileSync(join(repositoryRoot, page), "utf8").match(/integrity="[^"]*"/g);
      assert.deepEqual(shown, [`integrity="${integrity}"`], `the script has changed: write its new hash into ${page}`);
    });
  }
});
