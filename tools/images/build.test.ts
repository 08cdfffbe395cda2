import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { DOCKERFILES, imageReference } from "./build";
import { readWorkspaces } from "./workspaces";

const read = (file: string): string => readFileSync(join(repositoryRoot, file), "utf8");

describe("Images", () => {
  it("image names work with and without a repository", () => {
    assert.equal(imageReference("worker", { tag: "1.0" }), "eventlogger-worker:1.0");
    assert.equal(
      imageReference("ingest", { repository: "r.dev/p/q/", tag: "1.0" }),
      "r.dev/p/q/eventlogger-ingest:1.0",
    );
  });

  /** The steps of a Dockerfile from the first manifest to the compiled sources. */
  function buildSteps(dockerfile: string): string[] {
    const steps = read(dockerfile)
      .replace(/\\\n\s*/g, "")
      .split("\n")
      .filter((line) => /^(COPY|RUN) /.test(line));
    const first = steps.findIndex((step) => step.startsWith("COPY package.json"));
    return steps.slice(first, steps.indexOf("COPY . .") + 1);
  }

  it("every Dockerfile copies the manifests of all workspaces, then installs, then copies the sources", () => {
    const manifests = [...readWorkspaces(repositoryRoot).values()].map((path) => `COPY ${path}/package.json ${path}/`);
    for (const dockerfile of [...Object.values(DOCKERFILES), "local/Dockerfile"]) {
      const [first, ...rest] = buildSteps(dockerfile);
      const [install, sources] = rest.slice(-2);
      assert.equal(first, "COPY package.json package-lock.json .npmrc ./", dockerfile);
      assert.deepEqual(rest.slice(0, -2), manifests, dockerfile);
      assert.match(install ?? "", /^RUN npm ci /, dockerfile);
      assert.equal(sources, "COPY . .", dockerfile);
    }
  });

  it("the build context of images contains the folder of every workspace", () => {
    const folders = new Set([...readWorkspaces(repositoryRoot).values()].map((path) => path.split("/")[0] as string));
    const sent = read(".dockerignore").split("\n");
    for (const folder of folders) assert(sent.includes(`!${folder}`), `.dockerignore lacks !${folder}`);
  });
});
