/** Which side of its column a text is on. */
export type Alignment = "left" | "right";

const segmenter = new Intl.Segmenter();

/** The characters of a text as readers see them. */
export const charactersOf = (text: string): string[] => Array.from(segmenter.segment(text), ({ segment }) => segment);

/** Number of columns of a terminal that a text takes, when every character takes one. */
export const widthOf = (text: string): number => charactersOf(text).length;

/**
 * Rows of text as lines with aligned columns, two spaces apart.
 * @param alignments of each column; left for those that it does not have
 */
export function alignedLines(rows: readonly (readonly string[])[], alignments: readonly Alignment[] = []): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => widthOf(row[column] ?? ""))),
  );
  return rows.map((row) =>
    row
      .map((text, column) => {
        const space = " ".repeat((widths[column] ?? 0) - widthOf(text));
        return alignments[column] === "right" ? space + text : text + space;
      })
      .join("  ")
      .trimEnd(),
  );
}
