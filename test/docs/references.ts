import { posix } from "node:path";
import { parseMarkdown, type MarkdownPage } from "./markdown";
import type { Repository } from "./repository";

/** What is wrong with the relative links of a page, a line for each. `file` is relative to the repository's root. */
export function linkProblems(repository: Repository, file: string, { links, anchors }: MarkdownPage): string[] {
  return links.flatMap((link) => {
    if (/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(link)) return [];
    const [target = "", anchor] = link.split("#", 2);
    const path = posix.normalize(posix.join(posix.dirname(file), decodeURIComponent(target)));
    if (target.startsWith("/") || path.startsWith("..")) return [`${file}: link ${link} leads out of the repository`];
    if (target && !repository.has(path)) return [`${file}: link ${link}: ${path} does not exist`];
    if (anchor === undefined || (target && !path.endsWith(".md"))) return [];
    const names = target ? parseMarkdown(repository.read(path)).anchors : anchors;
    return names.has(anchor) ? [] : [`${file}: link ${link}: no heading has the anchor #${anchor}`];
  });
}

/** A placeholder for one part of a path, such as `NAME`. */
const PLACEHOLDER = /^[A-Z][A-Z0-9_]*$/;

/** A regular expression for a path with `*`, `**`, `{a,b}`, `…`, `<name>` or NAME in it. */
function patternOf(path: string): RegExp {
  const parts = path.split("/").map((part) => {
    if (PLACEHOLDER.test(part)) return "[^/]+";
    const special = /(\*\*|…|\.\.\.)|(\*)|<[^>]+>|\{([^}]+)\}|([.+?^$()|[\]\\])/g;
    return part.replace(special, (match: string, any?: string, star?: string, choices?: string, char?: string) => {
      if (any !== undefined) return ".*";
      if (star !== undefined) return "[^/]*";
      if (choices !== undefined) return `(${choices.split(",").join("|")})`;
      return char === undefined ? "[^/]+" : `\\${match}`;
    });
  });
  return new RegExp(`^${parts.join("/")}$`);
}

/** The sources that a file can come from: itself, or, when it is compiled, its TypeScript. */
function sourcesOf(path: string): string[] {
  const source = path.replace("/dist/", "/");
  return [source, source.replace(/\.(m?)js$/, ".$1ts")];
}

function exists(repository: Repository, path: string): boolean {
  return sourcesOf(path).some((source) => repository.has(source) || repository.hasMatch(patternOf(source)));
}

/** `@eventlogger/events/validation`: undefined when it leads to a source, or is no such name. */
function packagePathProblem(repository: Repository, name: string): string | undefined {
  const [, packageName = "", path] = /^(@eventlogger\/[a-z]+)(?:\/([\w./-]+))?$/.exec(name) ?? [];
  if (packageName === "") return undefined;
  const folder = repository.packageFolder(packageName);
  if (folder === undefined) return `no package is named ${packageName}`;
  if (path === undefined) return undefined;
  const candidates = ["", ".ts", ".mts", ".cjs", "/index.ts"].map((end) => `${folder}/${path}${end}`);
  return candidates.some((file) => repository.has(file)) ? undefined : `${folder} has no module ${path}`;
}

/**
 * What is wrong with the paths in the code spans of a page. A span is taken for a path when it has a slash and begins
 * with a folder of the repository, or of the folder that the page is in.
 */
export function pathProblems(repository: Repository, file: string, { codeSpans }: MarkdownPage): string[] {
  const home = posix.dirname(file);
  return codeSpans.flatMap((span) => {
    if (/\s/.test(span)) return [];
    const packageProblem = packagePathProblem(repository, span);
    if (packageProblem !== undefined) return [`${file}: \`${span}\`: ${packageProblem}`];
    const path = span.replace(/^\.\//, "").replace(/(:\d+)?[/.,]?$/, "");
    const [top = ""] = path.split("/");
    if (!span.includes("/") || top === "" || top.startsWith("@")) return [];
    const roots = [...new Set([".", home])].filter((root) => repository.isFolder(posix.join(root, top)));
    if (roots.length === 0 || roots.some((root) => exists(repository, posix.join(root, path)))) return [];
    return [`${file}: path \`${span}\` does not exist`];
  });
}
