/** The parts of a Markdown page that can be wrong: links, headings, code spans and code blocks. */

export interface CodeBlock {
  /** The word after the opening fence, such as `sh`; "" without one. */
  readonly language: string;
  readonly text: string;
}

export interface MarkdownPage {
  /** Targets of links, images and reference definitions, as they are written. */
  readonly links: readonly string[];
  /** Names that `#name` can point to: headings as GitHub names them, and `<a id="…">`. */
  readonly anchors: ReadonlySet<string>;
  /** Texts between single backticks, without those in code blocks. */
  readonly codeSpans: readonly string[];
  readonly codeBlocks: readonly CodeBlock[];
}

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`\s]*)/;
const HEADING = /^ {0,3}#{1,6}\s+(.*?)\s*#*$/;
const CODE_SPAN = /(`+)(.+?)\1(?!`)/g;
const LINK = /\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g;
const REFERENCE = /^ {0,3}\[[^\]]+\]:\s+<?(\S+?)>?(?:\s|$)/;
const ANCHOR = /<a\s+(?:id|name)="([^"]+)"/g;

/** The anchor that GitHub gives a heading, without the number that tells equal headings apart. */
function slug(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");
}

/** Splits a page into lines of text and code blocks. A fence ends with one of the same kind that is at least as long. */
function splitBlocks(markdown: string): { lines: string[]; codeBlocks: CodeBlock[] } {
  const lines: string[] = [];
  const codeBlocks: CodeBlock[] = [];
  let open: { readonly fence: string; readonly language: string; readonly content: string[] } | undefined;
  for (const line of markdown.split(/\r?\n/)) {
    const [, fence = "", language = ""] = FENCE.exec(line) ?? [];
    if (!open) {
      if (fence) open = { fence, language, content: [] };
      else lines.push(line);
    } else if (fence.startsWith(open.fence) && line.trim() === fence) {
      codeBlocks.push({ language: open.language, text: open.content.join("\n") });
      open = undefined;
    } else open.content.push(line);
  }
  if (open) codeBlocks.push({ language: open.language, text: open.content.join("\n") });
  return { lines, codeBlocks };
}

/** Reads a page as GitHub shows it, as far as links, anchors and code go. */
export function parseMarkdown(markdown: string): MarkdownPage {
  const { lines, codeBlocks } = splitBlocks(markdown);
  const anchors = new Set<string>();
  for (const line of lines) {
    const heading = HEADING.exec(line)?.[1];
    if (heading !== undefined) {
      const name = slug(heading);
      let unique = name;
      for (let i = 1; anchors.has(unique); i++) unique = `${name}-${i}`;
      anchors.add(unique);
    }
    for (const [, id = ""] of line.matchAll(ANCHOR)) anchors.add(id);
  }
  // A code span may go over the end of a line, but not over an empty one.
  const paragraphs = lines.join("\n").split(/\n\s*\n/);
  const codeSpans = paragraphs.flatMap((text) =>
    [...text.replace(/\n/g, " ").matchAll(CODE_SPAN)].map(([, , code = ""]) => code.trim()),
  );
  const withoutCode = paragraphs.map((text) => text.replace(/\n/g, " ").replace(CODE_SPAN, "")).join("\n");
  const links = [...withoutCode.matchAll(LINK)].map(([, target = ""]) => target);
  const references = lines.flatMap((line) => REFERENCE.exec(line)?.[1] ?? []);
  return { links: [...links, ...references], anchors, codeSpans, codeBlocks };
}
