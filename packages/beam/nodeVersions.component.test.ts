import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import path from "node:path";
import { ensureNode, NODE_VERSIONS } from "@eventlogger/process/testing/nodeVersions";

const MOCHA = require.resolve("mocha/bin/mocha.js");

/** Limit of a test, as `npm test` sets it, ms. */
const TIME_LIMIT_MS = 300_000;

/** Runs test files on another Node; returns their output. */
async function mocha(node: string, ...args: string[]): Promise<string> {
  const child = spawn(node, [MOCHA, "--reporter", "dot", "--timeout", String(TIME_LIMIT_MS), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise((resolve) => child.once("close", resolve));
  assert.equal(code, 0, output);
  return output;
}

for (const version of NODE_VERSIONS) {
  describe(`The Beam runtime on Node ${version}`, function () {
    this.timeout(900_000);
    let node: string;
    before(() => void (node = ensureNode(version)));

    // The versions in between are left out, because it takes two minutes. `npm test` runs on the oldest one.
    if (version === NODE_VERSIONS.at(-1)) {
      it(`the unit tests of the library pass on Node ${version}`, async () => {
        assert.match(await mocha(node, path.join(__dirname, "**/!(*.component).test.js")), /\b\d{2,} passing/);
      });
    }

    it(`a pipeline runs on Flink with Node ${version}`, async () => {
      const file = require.resolve("./flink/flink.component.test");
      assert.match(await mocha(node, file, "--grep", "every element of a large bundle"), /1 passing/);
    });
  });
}
