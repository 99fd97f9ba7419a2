// Which encoding an answer gets, and that it says what was answered.
import { describe, expect, test } from '@jest/globals';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { compressed, encodingOf } from './compression.ts';

describe('the encoding of an answer', () => {
  test.each([
    [undefined, undefined],
    ['', undefined],
    ['identity', undefined],
    ['deflate', undefined],
    ['gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'br'],
    ['BR;q=0.5, GZip;q=0.8', 'gzip'],
    ['br;q=0, gzip;q=0', undefined],
    ['br;q=0, *', 'gzip'],
    ['*', 'br'],
    ['*;q=0', undefined],
    ['identity, gzip;q=0.5', undefined],
    ['identity;q=0.5, gzip;q=0.8', 'gzip'],
    ['gzip;q=2', undefined],
    ['gzip;q=x', undefined],
    ['gzip; q = 0.3', 'gzip'],
  ])('%s: %s', (accept, encoding) => {
    expect(encodingOf(accept)).toBe(encoding);
  });

  test('a small one goes out as it is', async () => {
    expect(await compressed('x'.repeat(1_399), 'gzip')).toBeUndefined();
    expect(await compressed('x'.repeat(1_400), 'gzip')).toMatchObject({ encoding: 'gzip' });
  });

  test('holds the answer', async () => {
    const body = JSON.stringify({ data: '음식 배달 '.repeat(500) });
    const gzip = await compressed(body, 'gzip');
    const br = await compressed(body, 'br');
    expect(gzip && gunzipSync(gzip.bytes).toString()).toBe(body);
    expect(br && brotliDecompressSync(br.bytes).toString()).toBe(body);
    expect(br?.bytes.length).toBeLessThan(gzip?.bytes.length ?? 0);
  });
});
