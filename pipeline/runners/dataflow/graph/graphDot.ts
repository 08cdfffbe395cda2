import type { GraphNode, PipelineGraph } from "./pipelineGraph";

/** Text in double quotes. A backslash in a name is doubled: before a quote, DOT reads it as an escape. */
const quoted = (text: string): string => `"${text.replace(/[\\"]/g, "\\$&")}"`;

const SHAPES: Readonly<Record<string, string>> = {
  "reads a subscription": "cds",
  "groups by key": "hexagon",
  "merges collections": "invtriangle",
};

function attributes({ label, kind, keeps, cells, resource }: GraphNode): string {
  const lines = [
    label,
    ...(resource === null ? [] : [resource]),
    ...(keeps === null ? [] : [`keeps ${keptText(keeps, cells)}`]),
  ];
  // A line break in a label is \n, which must not be quoted again.
  const text = lines.map((line) => quoted(line).slice(1, -1)).join("\\n");
  return `label="${text}", shape=${SHAPES[kind] ?? "box"}${keeps === null ? "" : ", peripheries=2"}`;
}

/** What a step keeps, in words. */
function keptText(keeps: string, cells: readonly string[]): string {
  return cells.length ? `${keeps}: ${cells.join(", ")}` : keeps;
}

/**
 * A graph in the DOT language (https://graphviz.org/doc/info/lang.html): composites are clusters, steps with two borders keep state.
 * @param title the name of the graph
 */
export function graphDot({ nodes, edges }: PipelineGraph, title: string): string {
  const inside = (parent: string | null, indent: string): string[] =>
    nodes
      .filter((node) => node.parent === parent)
      .flatMap((node) => {
        if (!node.isComposite) return [`${indent}${quoted(node.id)} [${attributes(node)}];`];
        const label = node.resource === null ? node.label : `${node.label}: ${node.resource}`;
        return [
          `${indent}subgraph ${quoted(`cluster ${node.id}`)} {`,
          `${indent}  label=${quoted(label)};`,
          ...inside(node.id, `${indent}  `),
          `${indent}}`,
        ];
      });
  return [
    `digraph ${quoted(title)} {`,
    `  graph [label=${quoted(title)}, labelloc=t, fontname="sans-serif", rankdir=TB, style=rounded];`,
    `  node [fontname="sans-serif", fontsize=11];`,
    ...inside(null, "  "),
    ...edges.map(({ from, to }) => `  ${quoted(from)} -> ${quoted(to)};`),
    "}",
    "",
  ].join("\n");
}
