/** Names that are remembered, at most. Clients send the same few. */
const MAX_REMEMBERED = 1000;
/** A longer name is no misspelled field. */
const MAX_LENGTH = 32;
/** In names of fewer characters, a second difference makes another word. */
const SHORT = 6;

/** Number of characters that must be inserted, removed or replaced to make one text of the other (Levenshtein). */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (previous[j] as number) + 1, (row[j - 1] as number) + 1));
    }
    previous = row;
  }
  return previous[b.length] as number;
}

/** Finds the field that a client may have meant by the name of an unknown one. */
export class SimilarFields {
  private readonly remembered = new Map<string, string | undefined>();

  /** @param fields the known names, in lower case */
  constructor(private readonly fields: readonly string[]) {}

  /** The known field whose name differs by one or two characters, or by upper case only; undefined without one. */
  of(name: string): string | undefined {
    if (name.length > MAX_LENGTH) return undefined;
    if (this.remembered.has(name)) return this.remembered.get(name);
    if (this.remembered.size >= MAX_REMEMBERED) this.remembered.clear();
    const found = this.search(name.toLowerCase());
    this.remembered.set(name, found);
    return found;
  }

  private search(name: string): string | undefined {
    let nearest: string | undefined;
    let least = 3;
    for (const field of this.fields) {
      if (Math.abs(field.length - name.length) >= least) continue;
      const distance = editDistance(name, field);
      if (distance < least && (distance < 2 || field.length >= SHORT)) {
        nearest = field;
        least = distance;
      }
    }
    return nearest;
  }
}
