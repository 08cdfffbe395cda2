import { importedSourcesOf, sourceOf, visitImports } from "./imports.mjs";
import { pathInRepository } from "./workspaces.mjs";

/** The shortest way along imports from one source to another, both ends included; undefined when there is none. */
function findWay(from, to) {
  const cameFrom = new Map([[from, undefined]]);
  for (const file of cameFrom.keys()) {
    if (file === to) {
      const way = [];
      for (let step = file; step !== undefined; step = cameFrom.get(step)) way.unshift(step);
      return way;
    }
    for (const next of importedSourcesOf(file)) if (!cameFrom.has(next)) cameFrom.set(next, file);
  }
  return undefined;
}

/**
 * No file imports itself, directly or through others, within a workspace or across workspaces. Imports of types count:
 * two files that need each other's types are one unit or lack a third file. The rule no-cycle of eslint-plugin-import-x
 * does not follow `import x = require()`, and takes ten times as long.
 */
export const noImportCycles = {
  meta: { type: "problem", schema: [], messages: { cycle: "Import cycle: {{way}}." } },
  create(context) {
    const file = context.filename;
    return visitImports((node, name) => {
      const target = sourceOf(file, name);
      const way = target && findWay(target, file);
      if (!way) return;
      context.report({ node, messageId: "cycle", data: { way: [file, ...way].map(pathInRepository).join(" -> ") } });
    });
  },
};
