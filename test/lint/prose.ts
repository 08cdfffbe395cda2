import ts from "typescript";

/** One stretch of text, as its reader sees it: without comment markers, one space for each line break. */
export interface Prose {
  readonly text: string;
  /** The line, from 1, of a position in `text`. */
  readonly lineAt: (position: number) => number;
}

const MARKERS = /^\s*(\/\*+|\*\/|\*(?!\*)|\/\/+|#+|--)?\s?/;

/** Joins lines, since a phrase may go over the end of a line. An empty line ends a sentence, so it is no plain space. */
function joinLines(source: string, firstLine: number): Prose {
  const starts: number[] = [];
  let text = "";
  for (const line of source.split("\n")) {
    const words = line.replace(MARKERS, "").trim();
    starts.push(text.length);
    text += words ? `${words} ` : "\n";
  }
  return { text, lineAt: (position) => firstLine - 1 + starts.filter((start) => start <= position).length };
}

const isText = (node: ts.Node): boolean =>
  ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node);

/** The comments, strings and parts of templates of a file of TypeScript or JavaScript. */
export function proseOfCode(file: string, source: string): Prose[] {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, false);
  const found: Prose[] = [];
  const add = (start: number, end: number): void => {
    const line = tree.getLineAndCharacterOfPosition(start).line + 1;
    found.push(joinLines(source.slice(start, end), line));
  };
  const visit = (node: ts.Node): void => {
    // A comment belongs to the token after it, of which it is a part before the start.
    const children = node.getChildren(tree).filter((child) => !ts.isJSDoc(child));
    if (children.length > 0) return children.forEach(visit);
    const [from, start] = [node.getFullStart(), node.getStart(tree)];
    if (source.slice(from, start).includes("/")) add(from, start);
    if (isText(node)) add(start, node.getEnd());
  };
  visit(tree);
  return found;
}

/** A file that is not code, whole: a page, or a configuration whose comments and values people read. */
export const proseOfText = (source: string): Prose[] => [joinLines(source, 1)];
