import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseWorkspaceName, visitImports } from "./imports.mjs";
import { workspaceOf } from "./workspaces.mjs";

/** For each workspace, the workspaces that it may import. Names without scope; tests obey the same table. */
const borders = JSON.parse(readFileSync(new URL("borders.json", import.meta.url), "utf8"));

/** A workspace imports other workspaces by package name, only those that the table allows, and itself by relative path. */
export const workspaceBorders = {
  meta: {
    type: "problem",
    schema: [],
    messages: {
      border: '"{{from}}" must not import "{{to}}": tools/lint/borders.json allows {{allowed}}.',
      relative: 'Import another workspace by its package name, not by the relative path "{{name}}".',
      self: 'Import a file of the same workspace by a relative path, not as "{{name}}".',
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
    });
  },
};
