import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseWorkspaceName, sourceOf, visitImports } from "./imports.mjs";
import { workspaceNamed, workspaceOf } from "./workspaces.mjs";

/** For each workspace, the workspaces that it may import. Names without scope; tests obey the same table. */
const borders = JSON.parse(readFileSync(new URL("borders.json", import.meta.url), "utf8"));

/** Whether a name means a source file of a workspace, or something else that its package.json exports by name. */
function isModuleOfWorkspace(importer, name) {
  const { workspace, path } = parseWorkspaceName(name);
  const exported = workspaceNamed(workspace)?.manifest.exports ?? {};
  return sourceOf(importer, name) !== undefined || `./${path}` in exported || (path === "" && "." in exported);
}

/** A workspace imports other workspaces by package name, only those that the table allows, and itself by relative path. */
export const workspaceBorders = {
  meta: {
    type: "problem",
    schema: [],
    messages: {
      border: '"{{from}}" must not import "{{to}}": tools/lint/borders.json allows {{allowed}}.',
      relative: 'Import another workspace by its package name, not by the relative path "{{name}}".',
      self: 'Import a file of the same workspace by a relative path, not as "{{name}}".',
      missing:
        'There is no source file for "{{name}}": what is compiled in dist may be left from a file that was removed.',
      unknown: '"{{from}}" is not in tools/lint/borders.json: add it with the workspaces that it may import.',
    },
  },
  create(context) {
    const { folder, name: from } = workspaceOf(context.filename);
    const allowed = folder === "" ? [] : borders[from];
    return visitImports((node, name) => {
      const report = (messageId, data) => context.report({ node, messageId, data: { from, name, ...data } });
      if (name.startsWith(".")) {
        const target = workspaceOf(resolve(dirname(context.filename), name));
        // eslint.config.mjs belongs to no workspace and loads the rules of this folder by path.
        if (target.folder !== folder && folder !== "") report("relative");
        return;
      }
      const to = parseWorkspaceName(name)?.workspace;
      if (to === undefined) return;
      if (to === from) report("self");
      else if (!allowed) report("unknown");
      else if (!allowed.includes(to)) report("border", { to, allowed: allowed.join(", ") || "none" });
      else if (!isModuleOfWorkspace(context.filename, name)) report("missing");
    });
  },
};
