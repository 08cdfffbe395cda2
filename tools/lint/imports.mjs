// The imports of a file: which names it imports, and which source files those are.
import { existsSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, resolve } from "node:path";
import ts from "typescript";
import { SCOPE, cachedByFile, root, workspaceNamed } from "./workspaces.mjs";

const isText = (node) => node?.type === "Literal" && typeof node.value === "string";

/**
 * The part of an ESLint rule that finds imports of every form: `import`, `export … from`, `import x = require()`,
 * `import()`, `require()` and `import("…").Type`.
 * @param {(node: object, name: string) => void} check called with the node that holds the imported name
 */
export function visitImports(check) {
  const visit = (node) => isText(node) && check(node, node.value);
  return {
    ImportDeclaration: ({ source }) => visit(source),
    ExportNamedDeclaration: ({ source }) => visit(source),
    ExportAllDeclaration: ({ source }) => visit(source),
    ImportExpression: ({ source }) => visit(source),
    TSExternalModuleReference: ({ expression }) => visit(expression),
    TSImportType: ({ source, argument }) => visit(source ?? argument?.literal),
    CallExpression: ({ callee, arguments: [argument] }) => callee.name === "require" && visit(argument),
  };
}

/** The workspace and the path inside it that a package name means; undefined when it is no workspace's. */
export function parseWorkspaceName(name) {
  if (!name.startsWith(SCOPE)) return undefined;
  const [workspace, ...path] = name.slice(SCOPE.length).split("/");
  return { workspace, path: path.join("/") };
}

/** The package that an imported name belongs to; undefined for relative paths and for modules of Node. */
export function packageOf(name) {
  if (name.startsWith(".") || name.startsWith("/") || isBuiltin(name)) return undefined;
  return name
    .split("/")
    .slice(0, name.startsWith("@") ? 2 : 1)
    .join("/");
}

/** The file under dist/ that a workspace exports for a path, without its ending. */
function exportedFile({ folder, manifest }, path) {
  const entry = manifest.exports?.[path ? `./${path}` : "."];
  const file = entry?.default ?? `./dist/${path || "index"}.js`;
  return join(root, folder, file.replace(/^\.\/dist\//, ""));
}

/** @returns {string | undefined} the absolute path of the TypeScript source that an import means; undefined for other packages */
export function sourceOf(importer, name) {
  const parsed = parseWorkspaceName(name);
  const workspace = parsed && workspaceNamed(parsed.workspace);
  if (!workspace && !name.startsWith(".")) return undefined;
  const path = workspace ? exportedFile(workspace, parsed.path) : resolve(dirname(importer), name);
  const base = path.replace(/\.[mc]?js$/, "");
  return [`${base}.ts`, `${base}.mts`, join(base, "index.ts")].find((file) => existsSync(file));
}

/** The sources that a file imports, types included. */
export const importedSourcesOf = cachedByFile((file) =>
  ts
    .preProcessFile(readFileSync(file, "utf8"), true, true)
    .importedFiles.map(({ fileName }) => sourceOf(file, fileName))
    .filter((source) => source !== undefined),
);
