import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import { heapLimitMib, siblingWorkers } from "./containerHeap";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const NPX = path.join(packageRootOf(__filename), "worker", "npx");
const PROGRAM = require.resolve("./containerHeap");

/** Memory of a process beside its old generation, MiB: young generation, buffers and code. */
const BESIDE_HEAP_MIB = 150;

describe("heap limit of workers in containers", () => {
  it("one worker for each CPU is expected, and one with the experiment of a single SDK process", () => {
    assert.equal(siblingWorkers("{}", 4), 4);
    assert.equal(siblingWorkers('{"options":{"experiments":["use_sibling_sdk_workers"]}}', 4), 4);
    assert.equal(siblingWorkers('{"options":{"experiments":["no_use_multiple_sdk_containers"]}}', 4), 1);
    assert.equal(siblingWorkers('{"beam:option:experiments:v1":["no_use_multiple_sdk_containers"]}', 4), 1);
    assert.equal(siblingWorkers("{}", 0), 1);
  });

  it("the workers of a machine of 1 to 16 CPUs leave room for the system and a Java worker", () => {
    for (const cpus of [1, 2, 4, 8, 16]) {
      const totalBytes = cpus * 3.75 * GIB;
      const each = heapLimitMib({ totalBytes, limitBytes: undefined }, cpus);
      assert(cpus * (each + BESIDE_HEAP_MIB) <= totalBytes / MIB - 2048, `${cpus} CPUs: ${each} MiB each`);
      assert(each >= 900, `${cpus} CPUs: only ${each} MiB each`);
    }
  });

  it("the workers of a container with a limit of its own share that limit", () => {
    const totalBytes = 64 * GIB;
    assert.equal(heapLimitMib({ totalBytes, limitBytes: 4 * GIB }, 2), 1536);
    assert.equal(heapLimitMib({ totalBytes, limitBytes: 1 * GIB }, 1), 768);
  });

  it("the limit is never too small to start a worker, nor larger than 4 GiB", () => {
    assert.equal(heapLimitMib({ totalBytes: 2 * GIB, limitBytes: undefined }, 8), 192);
    assert.equal(heapLimitMib({ totalBytes: 256 * GIB, limitBytes: undefined }, 1), 4096);
  });

  describe("npx of the worker image", () => {
    let directory: string;
    beforeEach(() => {
      directory = mkdtempSync(path.join(tmpdir(), "npx-"));
      mkdirSync(path.join(directory, "node_modules", ".bin"), { recursive: true });
    });
    afterEach(() => rmSync(directory, { recursive: true }));

    const bin = (name: string): string => path.join(directory, "node_modules", ".bin", name);
    /** Runs a command that prints its heap limit in MiB and its arguments. */
    function run(env: Record<string, string>, ...args: string[]): [limit: number, args: string[]] {
      writeFileSync(
        bin("tool"),
        "#!/usr/bin/env node\nconst limit = require('node:v8').getHeapStatistics().heap_size_limit / 2 ** 20;\n" +
          "console.log(JSON.stringify([Math.round(limit), process.argv.slice(2)]));\n",
      );
      chmodSync(bin("tool"), 0o755);
      const options = { cwd: directory, encoding: "utf8", env: { PATH: process.env["PATH"] ?? "", ...env } } as const;
      return JSON.parse(execFileSync(NPX, ["tool", ...args], options)) as [number, string[]];
    }
    /** The young generation is part of the limit, too. */
    const isAbout = (limit: number, oldSpaceMib: number): boolean => limit >= oldSpaceMib && limit < oldSpaceMib + 200;

    it("npx starts a command with the heap limit that its program for Node options prints", () => {
      chmodSync(PROGRAM, 0o755);
      symlinkSync(PROGRAM, bin("tool-node-options"));
      const single = ["--id=w1", '--options={"options":{"experiments":["no_use_multiple_sdk_containers"]}}'];
      const printed = (args: string[]): number =>
        Number(/^--max-old-space-size=(\d+)\n$/.exec(execFileSync(PROGRAM, args, { encoding: "utf8" }))?.[1]);
      const [alone, args] = run({}, ...single);
      assert.deepEqual(args, single);
      assert(isAbout(alone, printed(single)), `${alone}`);
      const [shared] = run({}, "--id=w1", "--options={}");
      assert(isAbout(shared, printed(["--options={}"])), `${shared}`);
      if (availableParallelism() > 1) assert(shared <= alone);
    });

    it("options in NODE_OPTIONS win over those of the program, and a command without such a program gets none", () => {
      const [unlimited] = run({});
      assert(unlimited > 300, `${unlimited}`);
      writeFileSync(bin("tool-node-options"), "#!/bin/sh\necho --max-old-space-size=300\n");
      chmodSync(bin("tool-node-options"), 0o755);
      assert(isAbout(run({})[0], 300));
      assert(isAbout(run({ NODE_OPTIONS: "--max-old-space-size=700" })[0], 700));
    });
  });
});
