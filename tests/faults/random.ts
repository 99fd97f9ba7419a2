// Random choices that a seed repeats: a fault run prints its seed, and the same seed makes the same schedule and the same customers.

export interface Random {
  /** 0 ≤ x < 1. */
  next(): number;
  /** A number in a range; the upper end is left out. */
  between(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<T>(from: readonly [T, ...T[]]): T;
  /** A copy in random order. */
  shuffle<T>(list: readonly T[]): T[];
  /** A generator of its own, so that one consumer's choices do not depend on how often another chooses. */
  fork(): Random;
}

/** Mulberry32: small, and good enough to choose by. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const random: Random = {
    next,
    between: (low, high) => low + next() * (high - low),
    chance: (probability) => next() < probability,
    pick: (from) => from[Math.floor(next() * from.length)] ?? from[0],
    shuffle(list) {
      const left = [...list];
      return list.map(() => left.splice(Math.floor(next() * left.length), 1)[0] as (typeof left)[number]);
    },
    fork: () => createRandom(Math.floor(next() * 2 ** 32)),
  };
  return random;
}
