import type { BreakdownAnswer, BreakdownNumbers } from "../api/answers";

/** How the values of a breakdown have changed: from one period to another of the same length. */
export class BreakdownChanges {
  private readonly before: ReadonlyMap<string, BreakdownNumbers>;
  private readonly now: ReadonlyMap<string, BreakdownNumbers>;

  /** @param answers of the same dimension, with the largest values of each period */
  constructor(private readonly answers: { readonly now: BreakdownAnswer; readonly before: BreakdownAnswer }) {
    this.now = byValue(answers.now);
    this.before = byValue(answers.before);
  }

  /** A number of a value in both periods. Null where it is not known exactly, as where the value is among the others. */
  of(
    value: string,
    numberOf: (numbers: BreakdownNumbers) => number | null,
  ): { readonly now: number | null; readonly before: number | null } {
    const find = (values: ReadonlyMap<string, BreakdownNumbers>, { other }: BreakdownAnswer): number | null => {
      const numbers = values.get(value);
      if (numbers) return numberOf(numbers);
      return other.value_count === 0 ? 0 : null;
    };
    return { now: find(this.now, this.answers.now), before: find(this.before, this.answers.before) };
  }
}

function byValue({ values }: BreakdownAnswer): ReadonlyMap<string, BreakdownNumbers> {
  return new Map(values.map((numbers) => [numbers.value, numbers]));
}
