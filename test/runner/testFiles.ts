import { readdirSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "@eventlogger/process/main";
import { readWorkspaces, type Workspaces } from "@eventlogger/tools/images/workspaces";

/** Which test files to run. */
export interface Selection {
  /** Only unit tests. */
  readonly unitOnly: boolean;
  /** Parts of paths, relative to the root; a file is selected when it contains one of them. None selects every file. */
  readonly filters: readonly string[];
}

/** Unit tests have no other suffix than `.test.ts`. They need nothing but Node, so nothing is set up for them. */
export const isUnitTest = (file: string): boolean => !/\.(component|e2e)\.test\.ts$/.test(file);

/** End-to-end tests run the whole product against an independent computation. */
export const isEndToEndTest = (file: string): boolean => file.endsWith(".e2e.test.ts");

/**
 * Reads the command line of `npm test`.
 * @throws UserError that names an unknown option
 */
export function parseSelection(args: readonly string[]): Selection {
  const unknown = args.find((arg) => arg.startsWith("-") && arg !== "--unit");
  if (unknown !== undefined) {
    throw new UserError(`Unknown option ${unknown}. Usage: npm test -- [PATH…] or npm run test:unit -- [PATH…]`);
  }
  const filters = args.filter((arg) => arg !== "--unit").map((arg) => arg.replace(/^\.\//, ""));
  return { unitOnly: args.includes("--unit"), filters };
}

/** The test files of all workspaces, relative to the root. Sources, not compiled files: a deleted test is not run. */
export function findTestFiles(root: string): string[] {
  return [...readWorkspaces(root).values()].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".test.ts") && !/(^|\/)(node_modules|dist)\//.test(file))
      .map((file) => join(folder, file))
      .sort(),
  );
}

/**
 * Selects test files.
 * @throws UserError that names a filter which matches no file
 */
export function selectTests(files: readonly string[], { unitOnly, filters }: Selection): string[] {
  const candidates = files.filter((file) => !unitOnly || isUnitTest(file));
  const useless = filters.find((filter) => !candidates.some((file) => file.includes(filter)));
  if (useless !== undefined) throw new UserError(`No ${unitOnly ? "unit test" : "test file"} matches ${useless}`);
  return candidates.filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)));
}

function workspaceOf(workspaces: Workspaces, file: string): readonly [name: string, folder: string] {
  const found = [...workspaces].find(([, folder]) => file.startsWith(`${folder}/`));
  if (!found) throw new Error(`${file} is not in any workspace`);
  return found;
}

/** Where the compiler writes a source file; both paths relative to the root. */
export function compiledFile(workspaces: Workspaces, file: string): string {
  const [, folder] = workspaceOf(workspaces, file);
  return join(folder, "dist", file.slice(folder.length + 1).replace(/ts$/, "js"));
}

/** The name that other workspaces import a source file by. */
export function moduleName(workspaces: Workspaces, file: string): string {
  const [name, folder] = workspaceOf(workspaces, file);
  return `${name}/${file.slice(folder.length + 1).replace(/\.ts$/, "")}`;
}
