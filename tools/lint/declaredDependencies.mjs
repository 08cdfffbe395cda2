import { packageOf, visitImports } from "./imports.mjs";
import { pathInRepository, workspaceOf } from "./workspaces.mjs";

/** Files that are never part of a running program, so that devDependencies are enough for them. */
const DEVELOPMENT = /\.(test|scenario|faults|engine)\.ts$|(^|\/)testing\/|(^|\/)build\.mjs$|^test\/|^[^/]+$/;

/** Every package that a file imports is in the package.json of its workspace, where it is installed for that file. */
export const declaredDependencies = {
  meta: {
    type: "problem",
    schema: [],
    messages: {
      undeclared: '"{{name}}" is not a dependency in {{manifest}}.',
      development:
        '"{{name}}" is in the devDependencies of {{manifest}}, but this file is not a test: declare it in "dependencies".',
    },
  },
  create(context) {
    const { folder, manifest } = workspaceOf(context.filename);
    const isDevelopment = DEVELOPMENT.test(pathInRepository(context.filename));
    const has = (kind, name) => manifest[kind]?.[name] !== undefined;
    const isInstalled = (name) =>
      ["dependencies", "peerDependencies", "optionalDependencies"].some((kind) => has(kind, name));
    return visitImports((node, imported) => {
      const name = packageOf(imported);
      if (name === undefined || name === manifest.name || isInstalled(name)) return;
      const isDev = has("devDependencies", name);
      if (isDev && isDevelopment) return;
      const data = { name, manifest: folder ? `${folder}/package.json` : "package.json" };
      context.report({ node, messageId: isDev ? "development" : "undeclared", data });
    });
  },
};
