import type { WriteStream } from "node:tty";

/** Where text is written: a terminal, a file or a pipe. */
export type Output = NodeJS.WritableStream & Partial<Pick<WriteStream, "isTTY" | "columns">>;

type Paint = (text: string) => string;

/** Colours for a stream; plain text when it is not a terminal or NO_COLOR is set (https://no-color.org). */
export function colours(
  output: Output,
  env: NodeJS.ProcessEnv = process.env,
): { red: Paint; green: Paint; yellow: Paint; dim: Paint; bold: Paint } {
  const on = output.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";
  const paint =
    (code: number): Paint =>
    (text) =>
      on ? `\u001b[${code}m${text}\u001b[0m` : text;
  return { red: paint(31), green: paint(32), yellow: paint(33), dim: paint(2), bold: paint(1) };
}

/** A line at the bottom of a terminal that is redrawn in place. Writes nothing when the output is not a terminal. */
export class LiveLine {
  private last = 0;
  private shown = false;

  constructor(
    private readonly output: Output,
    private readonly everyMs = 150,
  ) {}

  /** Draws what `text` returns, at most once per `everyMs`. */
  draw(text: () => string): void {
    const now = Date.now();
    if (!this.output.isTTY || now - this.last < this.everyMs) return;
    this.last = now;
    this.shown = true;
    // Cut to the width of the terminal: a wrapped line cannot be redrawn in place.
    this.output.write(`\r\u001b[K${text().slice(0, (this.output.columns ?? 80) - 1)}`);
  }

  /** Clears the line. */
  clear(): void {
    if (this.shown) this.output.write("\r\u001b[K");
    this.shown = false;
  }
}

/** `1,234,567`. */
export function grouped(n: number): string {
  return Math.round(n).toLocaleString("en-US");
}

/** Control characters, line separators, and characters that change the direction of text. */
const NOT_PRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;

/** Text of somebody else for one line of a terminal. Characters that could change what else is shown become `\u001b`. */
export function printable(text: string): string {
  return text.replace(NOT_PRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
