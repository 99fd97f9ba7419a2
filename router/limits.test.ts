// What an operation may ask at most: each limit rejects with its code and lets the neighbour case pass.
import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { exceededLimits, limitError, measureDocument, unlimited } from './limits.ts';
import type { Limits } from './limits.ts';

const codes = (text: string, limits: Partial<Limits>): string[] =>
  exceededLimits(measureDocument(parse(text)), { ...unlimited, ...limits }).map((one) => limitError(one).code);

describe('limits', () => {
  test.each([
    [
      'MAX_OPERATIONS_LIMIT',
      { operations: 2 },
      'query A { a } query B { a }',
      'query A { a } query B { a } query C { a }',
    ],
    ['MAX_DEPTH_LIMIT', { depth: 2 }, '{ a { b } }', '{ a { b { c } } }'],
    ['MAX_HEIGHT_LIMIT', { height: 3 }, '{ a { b } c }', '{ a { b } c d }'],
    ['MAX_ALIASES_LIMIT', { aliases: 1 }, '{ x: a { b } }', '{ x: a { y: b } }'],
    ['MAX_ROOT_FIELDS_LIMIT', { root_fields: 2 }, '{ a b { c d e } }', '{ a b c }'],
    ['MAX_DIRECTIVES_LIMIT', { directives: 2 }, 'query @x { a @y }', 'query ($v: Int @x) { ... @y { a @z } }'],
    [
      'MAX_DEFERS_LIMIT',
      { defers: 2 },
      '{ ...A @defer } fragment A on T { ... @defer { a } }',
      '{ ...A @defer ...A } fragment A on T { ... @defer { a } }',
    ],
    [
      'MAX_NESTING_LIMIT',
      { nesting: 3 },
      '{ ...A ...B } fragment A on T { ...B } fragment B on T { a }',
      '{ ...A } fragment A on T { ... { ...B } } fragment B on T { a }',
    ],
  ])('%s rejects one over and lets the limit itself pass', (code, limits, within, over) => {
    expect(codes(within, limits)).toEqual([]);
    expect(codes(over, limits)).toEqual([code]);
  });

  test('count fragments wherever they are spread', () => {
    const text = '{ ...A x { ...A } } fragment A on T { a: b { c } }';
    expect(measureDocument(parse(text))).toEqual({
      operations: 1,
      nesting: 4,
      depth: 3,
      height: 5,
      aliases: 2,
      root_fields: 2,
      directives: 0,
      defers: 0,
    });
    expect(measureDocument(parse('{ ... on T { a ... { b } } }'))).toEqual({
      operations: 1,
      nesting: 3,
      depth: 1,
      height: 2,
      aliases: 0,
      root_fields: 2,
      directives: 0,
      defers: 0,
    });
  });

  test('take the largest operation of a document', () => {
    expect(measureDocument(parse('query A { a { b } } query B { c d e }'))).toEqual({
      operations: 2,
      nesting: 2,
      depth: 2,
      height: 3,
      aliases: 0,
      root_fields: 3,
      directives: 0,
      defers: 0,
    });
  });

  test('end on fragments that spread themselves, and on ones that grow without end', () => {
    expect(codes('{ ...A } fragment A on T { a { ...B } } fragment B on T { b { ...A } }', {})).toEqual([]);
    const bomb = Array.from(
      { length: 60 },
      (_, n) => `fragment F${String(n)} on T { a { ...F${String(n + 1)} ...F${String(n + 1)} } }`,
    );
    expect(codes(`{ ...F0 } ${bomb.join(' ')} fragment F60 on T { a }`, {})).toEqual([]);
    expect(codes(`{ ...F0 } ${bomb.join(' ')} fragment F60 on T { a }`, { height: 1_000_000 })).toEqual([
      'MAX_HEIGHT_LIMIT',
    ]);
  });

  test('are told with what was measured and what is allowed', () => {
    const [exceeded] = exceededLimits({ depth: 3 }, { ...unlimited, depth: 2 });
    expect(exceeded).toEqual({ limit: 'depth', measured: 3, allowed: 2, refused: true });
    expect(exceeded && limitError(exceeded)).toMatchObject({
      message: "The operation's depth is 3; 2 is allowed.",
      extensions: { code: 'MAX_DEPTH_LIMIT', measured: 3, allowed: 2 },
    });
  });

  test('that only measure refuse nothing', () => {
    const limits = { ...unlimited, depth: 2, measureOnly: new Set(['depth'] as const) };
    expect(exceededLimits({ depth: 3 }, limits)).toMatchObject([{ limit: 'depth', refused: false }]);
  });
});
