// The table of a run: the median of the rounds, each contestant beside ours.
import type { LoadResult } from './load.ts';

export interface Sample extends LoadResult {
  readonly operation: string;
  readonly name: string;
  /** Milliseconds of CPU time that the gateway used. */
  readonly cpu: number;
  /** Requests that the subgraphs were asked. */
  readonly fetches: number;
  readonly misses: number;
  readonly residentKb: number;
}

export function report(samples: readonly Sample[], names: readonly string[]): string {
  const rows: string[][] = [
    [
      'operation',
      'gateway',
      'requests/s',
      'ours / it',
      'p50 ms',
      'p99 ms',
      'CPU µs/request',
      'CPU busy',
      'fetches/request',
      'MB',
      'failed',
    ],
  ];
  for (const operation of new Set(samples.map((one) => one.operation))) {
    const of = (name: string): readonly Sample[] =>
      samples.filter((one) => one.operation === operation && one.name === name);
    const rates = (name: string): number[] => of(name).map(({ requests, seconds }) => requests / seconds);
    const ours = rates('ours');
    for (const name of names) {
      const own = of(name);
      const total = (read: (sample: Sample) => number): number => own.reduce((sum, one) => sum + read(one), 0);
      const requests = total((one) => one.requests);
      rows.push([
        operation,
        name,
        median(rates(name)).toFixed(0),
        // Round by round: whatever else the machine does, it does to both.
        median(rates(name).map((rate, round) => (ours[round] ?? NaN) / rate)).toFixed(2),
        median(own.map(({ p50 }) => p50)).toFixed(1),
        median(own.map(({ p99 }) => p99)).toFixed(1),
        ((total(({ cpu }) => cpu) * 1_000) / requests).toFixed(0),
        `${((total(({ cpu }) => cpu) / total(({ seconds }) => seconds) / 1_000) * 100).toFixed(0)} %`,
        (total(({ fetches }) => fetches) / requests).toFixed(2),
        Math.max(...own.map(({ residentKb }) => residentKb / 1_024)).toFixed(0),
        String(total(({ failed }) => failed)),
      ]);
    }
  }
  const missed = samples.reduce((sum, { misses }) => sum + misses, 0);
  return `${table(rows)}\n\nAnswers that the subgraphs had to work out while it was measured: ${String(missed)}.`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = rows;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

function median(numbers: readonly number[]): number {
  const ordered = [...numbers].sort((a, b) => a - b);
  const middle = ordered.length / 2;
  return ((ordered[Math.ceil(middle - 1)] ?? NaN) + (ordered[Math.floor(middle)] ?? NaN)) / 2;
}
