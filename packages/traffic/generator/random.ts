/** A seeded random number generator: the same seed gives the same numbers on every machine. Not for secrets. */
export interface Random {
  /** In [0, 1). */
  float(): number;
  /** An integer in [0, below). */
  int(below: number): number;
  /** True with the given probability. */
  chance(probability: number): boolean;
  /** Exponentially distributed, >= 0. */
  exponential(mean: number): number;
  pick<T>(items: readonly [T, ...T[]]): T;
}

/**
 * Creates a generator (mulberry32).
 * @param seed an unsigned 32-bit integer
 */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const float = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const int = (below: number): number => Math.floor(float() * below);
  return {
    float,
    int,
    chance: (probability) => float() < probability,
    exponential: (mean) => -Math.log(1 - float()) * mean,
    pick: (items) => items[int(items.length)] ?? items[0],
  };
}
