import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { readWorkspaces } from "@eventlogger/tools/images/workspaces";

/** A TypeScript source of a workspace. */
export interface Source {
  /** Relative to the repository. */
  readonly file: string;
  /** The name by which other packages import its compiled module. */
  readonly module: string;
  readonly text: string;
}

/** The TypeScript sources of all workspaces. */
export function readSources(): Source[] {
  return [...readWorkspaces(repositoryRoot)].flatMap(([name, folder]) =>
    readdirSync(join(repositoryRoot, folder), { recursive: true, encoding: "utf8" })
      .filter((path) => /(?<!\.d)\.ts$/.test(path) && !/(^|\/)(dist|node_modules)\//.test(path))
      .sort()
      .map((path) => ({
        file: `${folder}/${path}`,
        module: `${name}/${path.slice(0, -".ts".length)}`,
        text: readFileSync(join(repositoryRoot, folder, path), "utf8"),
      })),
  );
}
