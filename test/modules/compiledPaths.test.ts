import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { readWorkspaces } from "@eventlogger/tools/images/workspaces";
import { readSources } from "./sources";

/** Files that start compiled programs by their path, which no compiler checks. */
const FILES = [
  "package.json",
  "docker-compose.yml",
  "ingest/Dockerfile",
  "local/Dockerfile",
  "nginx/Dockerfile",
  "pipeline/Dockerfile",
];

/** `folder/dist/path.js`, from the repository or from an image's node_modules; not the path of another image. */
const COMPILED = /(?<![\w./-])(?:\/app\/)?(?:node_modules\/)?((?:@?[\w-]+\/)+dist\/[\w./-]+)\.js\b/g;

describe("Paths of compiled programs", () => {
  it("every compiled program that scripts, images and Compose start by its path has a source", () => {
    const folders = readWorkspaces(repositoryRoot);
    const sources = new Set(readSources().map(({ file }) => file));
    let checked = 0;
    for (const file of FILES) {
      for (const [path, compiled = ""] of readFileSync(join(repositoryRoot, file), "utf8").matchAll(COMPILED)) {
        const [home = "", inside = ""] = compiled.split("/dist/");
        const source = `${folders.get(home) ?? home}/${inside}.ts`;
        assert(sources.has(source), `${file} names ${path}, and there is no ${source}`);
        checked++;
      }
    }
    assert.ok(checked >= 15, `only ${checked} paths were found`);
  });
});
