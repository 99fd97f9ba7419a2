// Percentiles within their promised error, bars in proportion, and an availability that never rounds a failure away.
import { expect, test } from '@jest/globals';
import { createLatencies, formatMilliseconds, formatShare } from './latencies.ts';

test('percentiles are within 2 %', () => {
  const latencies = createLatencies();
  for (let value = 1; value <= 1_000; value += 1) latencies.add(value);
  expect(latencies.count).toBe(1_000);
  for (const [share, exact] of [
    [0.5, 500],
    [0.95, 950],
    [0.99, 990],
    [1, 1_000],
  ] as const) {
    expect(Math.abs(latencies.percentile(share) - exact) / exact).toBeLessThan(0.02);
  }
});

test('nothing measured is nothing shown', () => {
  expect(createLatencies().percentile(0.99)).toBe(0);
  expect(createLatencies().histogram(10)).toEqual([]);
});

test('a histogram has every bucket between the first and the last', () => {
  const latencies = createLatencies();
  for (const value of [1.5, 1.5, 1.5, 1.5, 7, 30]) latencies.add(value);
  expect(latencies.histogram(4)).toEqual([
    '  ≤ 2.0 ms ████ 4',
    '  ≤ 4.0 ms      0',
    '  ≤ 8.0 ms █    1',
    '   ≤ 16 ms      0',
    '   ≤ 32 ms █    1',
  ]);
});

test('milliseconds and shares read well', () => {
  expect([0.52, 9.4, 12.3, 1_534].map(formatMilliseconds)).toEqual(['0.52 ms', '9.4 ms', '12 ms', '1.5 s']);
  expect(formatShare(5, 5)).toBe('100 %');
  expect(formatShare(999_999, 1_000_000)).toBe('99.99990 %');
  expect(formatShare(1, 3)).toBe('33.33 %');
  expect(formatShare(0, 0)).toBe('–');
});
