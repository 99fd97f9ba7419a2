// Latencies of many requests: percentiles and a histogram for the terminal, in buckets that double.

export interface Latencies {
  /** Adds one, in milliseconds. */
  add(milliseconds: number): void;
  readonly count: number;
  /** The value below which `share` (0 to 1) of all lie; within 2 %. Zero when there are none. */
  percentile(share: number): number;
  /** One line for each bucket from the first to the last that holds any. `width` is that of the longest bar. */
  histogram(width: number): string[];
}

/** Buckets grow by 2 % each: as exact as anyone reads them, and as small for a million requests as for ten. */
const growth = 1.02;

export function createLatencies(): Latencies {
  const counts = new Map<number, number>();
  let total = 0;
  return {
    add(milliseconds) {
      const index = Math.ceil(Math.log(Math.max(milliseconds, 0.01)) / Math.log(growth));
      counts.set(index, (counts.get(index) ?? 0) + 1);
      total += 1;
    },
    get count() {
      return total;
    },
    percentile(share) {
      let left = Math.max(1, Math.ceil(total * share));
      for (const index of [...counts.keys()].toSorted((a, b) => a - b)) {
        left -= counts.get(index) ?? 0;
        if (left <= 0) return growth ** index;
      }
      return 0;
    },
    histogram(width) {
      const doubled = new Map<number, number>();
      for (const [index, count] of counts) {
        const bucket = Math.ceil(Math.log2(growth ** index));
        doubled.set(bucket, (doubled.get(bucket) ?? 0) + count);
      }
      const buckets = [...doubled.keys()].toSorted((a, b) => a - b);
      const [first = 0, last = -1] = [buckets.at(0), buckets.at(-1)];
      const most = Math.max(...doubled.values());
      return Array.from({ length: last - first + 1 }, (_, step) => {
        const bucket = first + step;
        const count = doubled.get(bucket) ?? 0;
        const bar = '█'.repeat(Math.ceil((count / most) * width));
        return `${`≤ ${formatMilliseconds(2 ** bucket)}`.padStart(10)} ${bar.padEnd(width)} ${String(count)}`;
      });
    },
  };
}

/** `0.5 ms`, `12 ms`, `1.5 s` */
export function formatMilliseconds(milliseconds: number): string {
  if (milliseconds >= 1_000) return `${(milliseconds / 1_000).toPrecision(2)} s`;
  return `${milliseconds < 10 ? milliseconds.toPrecision(2) : String(Math.round(milliseconds))} ms`;
}

/** `100 %` only when it is all; otherwise as many digits as it takes to see that it is not. */
export function formatShare(part: number, whole: number): string {
  if (whole === 0) return '–';
  if (part === whole) return '100 %';
  const percent = (part / whole) * 100;
  const digits = Math.min(6, Math.max(2, Math.ceil(-Math.log10(100 - percent)) + 1));
  return `${percent.toFixed(digits)} %`;
}
