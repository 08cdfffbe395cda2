const LEVELS = "▁▂▃▄▅▆▇█";
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/**
 * A line with a character for each value, whose height is its share of the largest one. Zero is the lowest character, as are values near it.
 * @param values 0 or more
 */
export function sparkline(values: readonly number[]): string {
  const largest = Math.max(0, ...values);
  const level = (value: number): number =>
    largest === 0 ? 0 : Math.min(LEVELS.length - 1, Math.floor((value / largest) * LEVELS.length));
  return values.map((value) => LEVELS.charAt(level(value))).join("");
}

/**
 * A bar whose length is the share of a value, in eighths of a character.
 * @param share from 0 to 1
 * @param width length of the bar of 1, characters
 */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  return "█".repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? "");
}
