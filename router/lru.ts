// A cache that forgets what was used longest ago, bounded by entries and by their total weight.

export interface LruCache<Value> {
  get(key: string): Value | undefined;
  /** `weight` counts against `maxWeight`, for example the characters that the entry keeps alive. */
  set(key: string, value: Value, weight?: number): void;
  readonly size: number;
  /** From the one used longest ago to the last one used. */
  entries(): Iterable<readonly [string, Value]>;
}

/** An entry heavier than the whole cache is not kept. */
export function createLruCache<Value>(bounds: {
  readonly maxEntries: number;
  readonly maxWeight?: number;
}): LruCache<Value> {
  const { maxEntries, maxWeight = Infinity } = bounds;
  // A Map iterates in the order of insertion, so the first key is the one used longest ago.
  const entries = new Map<string, { readonly value: Value; readonly weight: number }>();
  let total = 0;

  const remove = (key: string): void => {
    const entry = entries.get(key);
    if (entry === undefined) return;
    entries.delete(key);
    total -= entry.weight;
  };

  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    set(key, value, weight = 1) {
      remove(key);
      if (weight > maxWeight) return;
      entries.set(key, { value, weight });
      total += weight;
      while (entries.size > maxEntries || total > maxWeight) {
        const oldest = entries.keys().next();
        if (oldest.done === true) return;
        remove(oldest.value);
      }
    },
    get size() {
      return entries.size;
    },
    *entries() {
      for (const [key, { value }] of entries) yield [key, value] as const;
    },
  };
}
