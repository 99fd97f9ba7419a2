// A cache that forgets what has not been used for long, bounded by entries and by their total weight.

export interface LruCache<Value> {
  get(key: string): Value | undefined;
  /** `weight` counts against `maxWeight`, for example the characters that the entry keeps alive. */
  set(key: string, value: Value, weight?: number): void;
  readonly size: number;
  entries(): Iterable<readonly [string, Value]>;
}

/** An entry heavier than the whole cache is not kept. */
export function createLruCache<Value>(bounds: {
  readonly maxEntries: number;
  readonly maxWeight?: number;
}): LruCache<Value> {
  const { maxEntries, maxWeight = Infinity } = bounds;
  // A Map iterates in the order of insertion. What was used since it was looked at last gets a second chance, at the end (the "clock"
  // algorithm): to move an entry at each use would keep the Map changing all the time, which V8 pays for with garbage (ADR 17).
  const entries = new Map<string, { readonly value: Value; readonly weight: number; wasUsed: boolean }>();
  let total = 0;

  const remove = (key: string): void => {
    const entry = entries.get(key);
    if (entry === undefined) return;
    entries.delete(key);
    total -= entry.weight;
  };

  const forgetOne = (): void => {
    for (const [key, entry] of entries) {
      remove(key);
      if (!entry.wasUsed) return;
      insert(key, entry.value, entry.weight);
    }
  };
  const insert = (key: string, value: Value, weight: number): void => {
    entries.set(key, { value, weight, wasUsed: false });
    total += weight;
  };

  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entry.wasUsed = true;
      return entry.value;
    },
    set(key, value, weight = 1) {
      remove(key);
      if (weight > maxWeight) return;
      while (entries.size > 0 && (entries.size >= maxEntries || total + weight > maxWeight)) forgetOne();
      insert(key, value, weight);
    },
    get size() {
      return entries.size;
    },
    *entries() {
      for (const [key, { value }] of entries) yield [key, value] as const;
    },
  };
}
