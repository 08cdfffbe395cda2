/** Commands in the code blocks of documentation, as far as a reader's shell would take them apart. */

const SEPARATORS = new Set([";", "&", "|", "(", ")", "\n"]);
const ASSIGNMENT = /^[A-Za-z_]\w*=/;

/**
 * Splits a shell text into commands and their words. Knows quotes, comments, continued lines and separators; a
 * substitution such as `$(date +%s)` is taken for words. Assignments in front of a command are left out.
 */
export function shellCommands(text: string): string[][] {
  const commands: string[][] = [];
  let words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  const endWord = (): void => {
    if (word !== undefined && !(words.length === 0 && ASSIGNMENT.test(word))) words.push(word);
    word = undefined;
  };
  const endCommand = (): void => {
    endWord();
    if (words.length > 0) commands.push(words);
    words = [];
  };
  const source = text.replace(/\\\r?\n/g, " ");
  for (let i = 0; i < source.length; i++) {
    const char = source.charAt(i);
    if (quote !== undefined) {
      if (char === quote) quote = undefined;
      else word = (word ?? "") + char;
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= "";
    } else if (char === "#" && word === undefined) {
      while (i + 1 < source.length && source.charAt(i + 1) !== "\n") i++;
    } else if (SEPARATORS.has(char)) endCommand();
    else if (/\s/.test(char)) endWord();
    else word = (word ?? "") + char;
  }
  endCommand();
  return commands;
}
