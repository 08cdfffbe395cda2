import assert from "node:assert/strict";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import ts from "typescript";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { readWorkspaces } from "@eventlogger/tools/images/workspaces";
import { Repository } from "../docs/repository";

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** Packages that the root package.json declares although no file imports them. */
const NOT_IMPORTED: ReadonlyMap<string, string> = new Map([
  ["@types/node", "types of Node, for every workspace"],
  ["@types/mocha", "types of the globals of tests, for every workspace"],
  ["eslint", "npm run lint"],
  ["mocha", "npm test starts it"],
  ["prettier", "npm run format"],
  ["typescript", "compiles every workspace"],
]);

/** Files that may use devDependencies; the lint rule declared-dependencies has the same pattern. */
const isTest = (file: string): boolean => /\.(test|scenario|faults|engine)\.ts$|(^|\/)testing\/|^test\//.test(file);
const isCode = (file: string): boolean => /\.[mc]?[jt]s$/.test(file);

/** The package that an import names; undefined for files of the same package and modules of Node. */
function packageOf(name: string): string | undefined {
  if (name.startsWith(".") || isBuiltin(name)) return undefined;
  return name
    .split("/")
    .slice(0, name.startsWith("@") ? 2 : 1)
    .join("/");
}

/** `@types/koa__router` holds the types of `@koa/router`. */
const typedPackage = (name: string): string => name.replace("@types/", "").replace(/^(.+)__(.+)$/, "@$1/$2");

describe("Each workspace", () => {
  const repository = new Repository(repositoryRoot);
  const workspaces = readWorkspaces(repositoryRoot);

  const readJson = (file: string): unknown => ts.parseConfigFileTextToJson(file, repository.read(file)).config;
  const manifestOf = (folder: string): Manifest => readJson(`${folder}/package.json`) as Manifest;

  function importsOf(file: string): string[] {
    const { importedFiles } = ts.preProcessFile(repository.read(file), true, true);
    // A file of a package that is found by `require.resolve`, and not loaded, is used as well.
    const resolved = [...repository.read(file).matchAll(/require\.resolve\("([^"]+)"\)/g)].map(([, name = ""]) => name);
    return [...importedFiles.map(({ fileName }) => fileName), ...resolved].flatMap((name) => packageOf(name) ?? []);
  }

  /** The packages that some files of a folder import. */
  const importedBy = (folder: string, filter: (file: string) => boolean): ReadonlySet<string> =>
    new Set(
      repository.files
        .filter((file) => file.startsWith(`${folder}/`) && isCode(file) && filter(file))
        .flatMap((file) => importsOf(file)),
    );

  for (const folder of workspaces.values()) {
    it(`imports every dependency that ${folder}/package.json declares`, () => {
      const { dependencies = {}, devDependencies = {}, peerDependencies = {} } = manifestOf(folder);
      const byPrograms = importedBy(folder, (file) => folder === "test" || !isTest(file));
      const byAll = importedBy(folder, () => true);
      const unused = [
        ...Object.keys({ ...dependencies, ...peerDependencies }).filter((name) => !byPrograms.has(name)),
        ...Object.keys(devDependencies).filter((name) => !byAll.has(name) && !byAll.has(typedPackage(name))),
      ];
      assert.deepEqual(unused, [], "declared, but imported by no file (or only by tests: then a devDependency)");
    });

    it(`refers in ${folder}/tsconfig.json to the workspaces that it depends on`, () => {
      const { references = [] } = readJson(`${folder}/tsconfig.json`) as { references?: readonly { path: string }[] };
      const { dependencies, devDependencies } = manifestOf(folder);
      const needed = Object.keys({ ...dependencies, ...devDependencies }).flatMap((name) => workspaces.get(name) ?? []);
      assert.deepEqual(references.map(({ path }) => join(folder, path)).sort(), needed.sort());
    });
  }

  it("leaves to the root package.json only what no workspace imports", () => {
    const { devDependencies = {} } = readJson("package.json") as Manifest;
    const imported = new Set(importsOf("eslint.config.mjs"));
    const unexplained = Object.keys(devDependencies).filter((name) => !imported.has(name) && !NOT_IMPORTED.has(name));
    assert.deepEqual(unexplained, [], "declared in package.json, but used by no file of the root");
  });
});
