// What an operation may ask at most: each limit rejects with its code and lets the neighbour case pass.
import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { measureDocument, overLimits } from './limits.ts';
import type { Limits } from './limits.ts';

const roomy: Limits = { maxTokens: 1000, maxDepth: 100, maxHeight: 100, maxAliases: 100, maxRootFields: 100 };
const codes = (text: string, limits: Partial<Limits>): string[] =>
  overLimits(measureDocument(parse(text)), { ...roomy, ...limits }).map(({ code }) => code);

describe('limits', () => {
  test.each([
    ['MAX_DEPTH_LIMIT', { maxDepth: 2 }, '{ a { b } }', '{ a { b { c } } }'],
    ['MAX_HEIGHT_LIMIT', { maxHeight: 3 }, '{ a { b } c }', '{ a { b } c d }'],
    ['MAX_ALIASES_LIMIT', { maxAliases: 1 }, '{ x: a { b } }', '{ x: a { y: b } }'],
    ['MAX_ROOT_FIELDS_LIMIT', { maxRootFields: 2 }, '{ a b { c d e } }', '{ a b c }'],
  ])('%s rejects one over and lets the limit itself pass', (code, limits, within, over) => {
    expect(codes(within, limits)).toEqual([]);
    expect(codes(over, limits)).toEqual([code]);
  });

  test('count fragments wherever they are spread', () => {
    const text = '{ ...A x { ...A } } fragment A on T { a: b { c } }';
    expect(measureDocument(parse(text))).toEqual({ depth: 3, height: 5, aliases: 2, rootFields: 2 });
    expect(measureDocument(parse('{ ... on T { a ... { b } } }'))).toEqual({
      depth: 1,
      height: 2,
      aliases: 0,
      rootFields: 2,
    });
  });

  test('take the largest operation of a document', () => {
    expect(measureDocument(parse('query A { a { b } } query B { c d e }'))).toEqual({
      depth: 2,
      height: 3,
      aliases: 0,
      rootFields: 3,
    });
  });

  test('end on fragments that spread themselves, and on ones that grow without end', () => {
    expect(codes('{ ...A } fragment A on T { a { ...B } } fragment B on T { b { ...A } }', {})).toEqual([]);
    const bomb = Array.from(
      { length: 60 },
      (_, n) => `fragment F${String(n)} on T { a { ...F${String(n + 1)} ...F${String(n + 1)} } }`,
    );
    const started = performance.now();
    expect(codes(`{ ...F0 } ${bomb.join(' ')} fragment F60 on T { a }`, {})).toContain('MAX_HEIGHT_LIMIT');
    expect(performance.now() - started).toBeLessThan(100);
  });
});
