import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { imageReference } from "./build";
import { readWorkspaces } from "./workspaces";

const read = (file: string): string => readFileSync(join(repositoryRoot, file), "utf8");

describe("Images", () => {
  it("have names with and without a repository", () => {
    assert.equal(imageReference("worker", { tag: "1.0" }), "eventlogger-worker:1.0");
    assert.equal(
      imageReference("ingest", { repository: "r.dev/p/q/", tag: "1.0" }),
      "r.dev/p/q/eventlogger-ingest:1.0",
    );
  });

  it("are built from every folder that is compiled", () => {
    const folders = new Set([...readWorkspaces(repositoryRoot).values()].map((path) => path.split("/")[0] as string));
    const sent = read(".dockerignore").split("\n");
    for (const folder of folders) assert(sent.includes(`!${folder}`), `.dockerignore lacks !${folder}`);
  });
});
