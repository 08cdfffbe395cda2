import { readFileSync } from "node:fs";
import path from "node:path";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import type { GraphNode, PipelineGraph } from "./pipelineGraph";

/** Folder of the page's parts, which are not compiled. */
const pageDir = path.join(packageRootOf(__filename), "runners/dataflow/graph/page");

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => ESCAPES[character] ?? character);

/** JSON inside a script element, which must not contain the end of one. */
const scriptJson = (value: unknown): string => JSON.stringify(value).replaceAll("<", "\\u003c");

/** The steps as a nested list, which needs no script. */
function stepList(nodes: readonly GraphNode[], parent: string | null): string {
  const items = nodes
    .filter((node) => node.parent === parent)
    .map((node) => {
      const facts = [node.kind, node.resource, node.keeps === null ? null : `keeps ${node.keeps}`].filter(Boolean);
      const text = `${escaped(node.label)} <span class="muted">${escaped(facts.join(", "))}</span>`;
      return node.isComposite
        ? `<li><details><summary>${text}</summary>${stepList(nodes, node.id)}</details></li>`
        : `<li>${text}</li>`;
    });
  return `<ul>${items.join("")}</ul>`;
}

/**
 * A page that shows a graph: one file that loads nothing. Composites open and close, by mouse and by keyboard; without scripts, the page
 * has the steps as a list.
 * @param page.facts lines below the title, as name and value
 */
export function graphHtml(
  { nodes, edges }: PipelineGraph,
  { title, facts }: { readonly title: string; readonly facts: readonly (readonly [string, string])[] },
): string {
  const part = (name: string): string => readFileSync(path.join(pageDir, name), "utf8");
  // The package exports only its modules; the script for a page is beside them.
  const dagre = path.join(path.dirname(require.resolve("@dagrejs/dagre")), "dagre.min.js");
  const values: Readonly<Record<string, string>> = {
    TITLE: escaped(title),
    STYLE: `<style>${part("page.css")}</style>`,
    FACTS: facts.map(([name, value]) => `<div><dt>${escaped(name)}</dt><dd>${escaped(value)}</dd></div>`).join(""),
    LIST: stepList(nodes, null),
    SCRIPTS: [
      `<script type="application/json" id="data">${scriptJson({ nodes, edges })}</script>`,
      `<script>${readFileSync(dagre, "utf8").replace(/\n\/\/# sourceMappingURL=.*/, "")}</script>`,
      `<script>${part("page.js")}</script>`,
    ].join("\n"),
  };
  return part("page.html").replace(/(?:<!-- )?\{\{([A-Z]+)\}\}(?: -->)?/g, (_, name: string) => values[name] ?? "");
}
