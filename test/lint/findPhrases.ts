import type { BannedPhrase } from "./bannedPhrases";
import { proseOfCode, proseOfText } from "./prose";

export interface PhraseHit {
  /** From 1. */
  readonly line: number;
  /** As it is written, in lower case. */
  readonly phrase: string;
  readonly banned: BannedPhrase;
}

const CODE = /\.[mc]?[jt]s$/;
const OTHERS = /(\.(md|ya?ml|py|java|sh|env|xml|properties|template)|(^|\/)(Dockerfile|package\.json|\.ci\/run))$/;

export const isScanned = (file: string): boolean => CODE.test(file) || OTHERS.test(file);

/** The banned phrases in a file, by line. */
export function findPhrases(file: string, source: string, phrases: readonly BannedPhrase[]): PhraseHit[] {
  const isCode = CODE.test(file);
  const prose = isCode ? proseOfCode(file, source) : proseOfText(source);
  const all = isCode ? proseOfText(source) : prose;
  return phrases
    .filter(({ files }) => files?.test(file) ?? true)
    .flatMap((banned) =>
      (banned.inCode ? all : prose).flatMap(({ text, lineAt }) =>
        [...text.matchAll(new RegExp(banned.pattern, `${banned.pattern.flags}g`))].map((match) => ({
          line: lineAt(match.index),
          phrase: match[0].toLowerCase(),
          banned,
        })),
      ),
    )
    .sort((a, b) => a.line - b.line);
}
