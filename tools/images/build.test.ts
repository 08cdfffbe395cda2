import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "@eventlogger/process/packageRoot";
import { imageReference } from "./build";

const read = (file: string): string => readFileSync(join(packageRoot, file), "utf8");

describe("Images", () => {
  it("have names with and without a repository", () => {
    assert.equal(imageReference("worker", { tag: "1.0" }), "eventlogger-worker:1.0");
    assert.equal(
      imageReference("ingest", { repository: "r.dev/p/q/", tag: "1.0" }),
      "r.dev/p/q/eventlogger-ingest:1.0",
    );
  });

  it("are built from every folder that is compiled", () => {
    const { include } = JSON.parse(read("tsconfig.json")) as { include: string[] };
    const folders = new Set(include.map((pattern) => pattern.split("/")[0] as string));
    const sent = read(".dockerignore").split("\n");
    for (const folder of folders) {
      if (existsSync(join(packageRoot, folder))) assert(sent.includes(`!${folder}`), `.dockerignore lacks !${folder}`);
    }
  });
});
