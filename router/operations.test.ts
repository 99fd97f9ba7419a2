// From text to an executable operation: the code of each way to fail, and what is remembered.
import { describe, expect, test } from '@jest/globals';
import { GraphQLError, visit } from 'graphql';
import { composeSupergraph } from '../schema/compose.ts';
import { unlimited } from './limits.ts';
import type { Exceeded } from './limits.ts';
import { createLruCache } from './lru.ts';
import { createOperations } from './operations.ts';
import type { PrepareOperation } from './operations.ts';
import { loadSupergraph } from './supergraph.ts';

const sdl = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
  type Query { a(x: Int): A b: Int f(x: Float): Int } type A { a: A b: Int } type Subscription { s: Int }`;
const supergraph = loadSupergraph(composeSupergraph([{ name: 'one', url: 'http://one', sdl }]).supergraphSdl);
const limits = { ...unlimited, tokens: 60, depth: 4, nesting: 8 };
const { prepare } = createOperations({ limits, introspection: false, cacheEntries: 10 });

const codes = (text: string, operationName?: string): unknown[] => {
  const prepared = prepare(supergraph, text, operationName);
  return prepared.ok ? [] : prepared.errors.map(({ extensions }) => extensions['code']);
};

describe('the most used operations', () => {
  test('come with the one that was asked for most often first, each by its name', () => {
    const ops = createOperations({ limits: unlimited, introspection: false, cacheEntries: 10 });
    const named = 'query A { b } query B { b }';
    for (let at = 0; at < 2; at++) ops.prepare(supergraph, '{ b }', undefined);
    for (const name of ['A', 'B', 'B']) ops.prepare(supergraph, named, name);
    ops.prepare(supergraph, '{ nothing }', undefined);
    ops.prepare(supergraph, '{ a { b } }', undefined);
    expect(ops.mostUsed(supergraph, 2)).toEqual([
      { source: named, operationName: 'A' },
      { source: named, operationName: 'B' },
      { source: '{ b }', operationName: undefined },
    ]);
    expect(ops.mostUsed(loadSupergraph(supergraph.sdl), 2)).toEqual([]);
  });
});

describe('preparing an operation', () => {
  test.each([
    ['GRAPHQL_PARSE_FAILED', '{ a'],
    ['GRAPHQL_PARSE_FAILED', ''],
    ['GRAPHQL_VALIDATION_FAILED', '{ nothing }'],
    ['INTROSPECTION_DISABLED', '{ __schema { description } }'],
    ['INTROSPECTION_DISABLED', '{ b ... { __type(name: "A") { name } } }'],
    ['GRAPHQL_VALIDATION_FAILED', 'subscription ($no: Boolean!) { s @skip(if: $no) }'],
    ['GRAPHQL_VALIDATION_FAILED', 'mutation { m }'],
    ['GRAPHQL_VALIDATION_FAILED', '{ f(x: 1e999) }'],
    ['OPERATION_RESOLUTION_FAILURE', 'query A { b } query B { b }'],
    ['MAX_TOKENS_LIMIT', `{ ${'b '.repeat(80)} }`],
    ['MAX_TOKENS_LIMIT', `{ b ${'\n'.repeat(60)} }`],
    ['MAX_NESTING_LIMIT', `{ ${'... { '.repeat(8)} b ${'} '.repeat(8)} }`],
    ['MAX_NESTING_LIMIT', '{ '.repeat(1_000_000)],
    ['MAX_DEPTH_LIMIT', '{ a { a { a { a { b } } } } }'],
  ])('%s: %s', (code, text) => {
    expect(codes(text)).toEqual([code]);
    expect(codes(text)).toEqual([code]);
  });

  test('refuses neither what is within the limits nor the type names of an answer', () => {
    expect(codes('{ a { a { a { __typename } } } }')).toEqual([]);
    expect(codes(`{ ${'b '.repeat(58)} }`)).toEqual([]);
    expect(codes(`{ b ${'\n'.repeat(59)} }`)).toEqual([]);
    expect(codes(`{ ${'... { '.repeat(7)} b ${'} '.repeat(7)} }`)).toEqual([]);
  });

  test('suggests no names of a schema that cannot be read', () => {
    const message = (prepare: PrepareOperation): string | undefined => {
      const prepared = prepare(supergraph, '{ aa }', undefined);
      return prepared.ok ? undefined : prepared.errors[0]?.message;
    };
    expect(message(prepare)).toBe('Cannot query field "aa" on type "Query".');
    expect(message(createOperations({ limits, introspection: true, cacheEntries: 10 }).prepare)).toContain(
      'Did you mean "a"',
    );
  });

  test('tells of limits that only measure each time, and refuses nothing', () => {
    const told: Exceeded[] = [];
    const { prepare: measuring } = createOperations({
      limits: { ...limits, measureOnly: new Set(['tokens', 'depth'] as const) },
      introspection: true,
      cacheEntries: 10,
      onExceeded: (exceeded) => told.push(exceeded),
    });
    const text = `{ ${'b '.repeat(80)} a { a { a { a { b } } } } }`;
    for (let n = 0; n < 2; n += 1) expect(measuring(supergraph, text, undefined).ok).toBe(true);
    const once = [
      { limit: 'tokens', measured: 95, allowed: 60, refused: false },
      { limit: 'depth', measured: 5, allowed: 4, refused: false },
    ];
    expect(told).toEqual([...once, ...once]);
  });

  test('tells a failure of the planner from what the client has to change, and names the operation', () => {
    const failing = (error: Error) => ({
      ...supergraph,
      planner: Object.assign(Object.create(supergraph.planner) as typeof supergraph.planner, {
        buildQueryPlan() {
          throw error;
        },
      }),
    });
    const errorFor = (error: Error): GraphQLError | undefined => {
      const prepared = prepare(failing(error), 'query Page { b }', undefined);
      return prepared.ok ? undefined : prepared.errors[0];
    };
    const cause = new Error('a path is missing');
    const ours = errorFor(cause);
    expect(ours?.extensions).toEqual({ code: 'INTERNAL_SERVER_ERROR', http: { status: 500 } });
    expect(ours?.originalError).toMatchObject({
      message: 'the query Page cannot be planned: a path is missing',
      cause,
    });
    const coded = new GraphQLError('unsupported', { extensions: { code: 'UNSUPPORTED_FEATURE' } });
    expect(errorFor(coded)?.extensions['code']).toBe('INTERNAL_SERVER_ERROR');
    const theirs = errorFor(new GraphQLError('no value', { extensions: { code: 'INVALID_GRAPHQL' } }));
    expect([theirs?.message, theirs?.extensions['code']]).toEqual(['no value', 'GRAPHQL_VALIDATION_FAILED']);
  });

  test('chooses the operation by name', () => {
    expect(codes('query A { b } query B { b }', 'B')).toEqual([]);
    expect(codes('query A { b } query B { b }', 'C')).toEqual(['OPERATION_RESOLUTION_FAILURE']);
    expect(codes('query A { b } query B { b }', '')).toEqual(['OPERATION_RESOLUTION_FAILURE']);
    expect(codes('query A { b }', '')).toEqual([]);
  });

  test('plans each text once, and bad texts do not push good ones out', () => {
    const first = prepare(supergraph, '{ b }', undefined);
    for (let n = 0; n < 30; n += 1) codes(`{ nothing${String(n)} }`);
    expect(prepare(supergraph, '{ b }', undefined)).toBe(first);
  });

  test.each([
    ['{ nothing }', 'GRAPHQL_VALIDATION_FAILED', [{ line: 1, column: 3 }]],
    ['mutation { m }', 'GRAPHQL_VALIDATION_FAILED', [{ line: 1, column: 1 }]],
    ['{ a(x: "no") { b } }', 'GRAPHQL_VALIDATION_FAILED', [{ line: 1, column: 8 }]],
    ['subscription ($no: Boolean!) { s @skip(if: $no) }', 'GRAPHQL_VALIDATION_FAILED', undefined],
    ['{ a', 'GRAPHQL_PARSE_FAILED', [{ line: 1, column: 4 }]],
  ])('an error that is remembered keeps its places, and nothing of the document: %s', (text, code, locations) => {
    for (let n = 0; n < 2; n += 1) {
      const prepared = prepare(supergraph, text, undefined);
      const [error] = prepared.ok ? [] : prepared.errors;
      expect(error?.extensions['code']).toBe(code);
      expect(error?.locations).toEqual(locations);
      expect(error?.nodes).toBeUndefined();
      expect(error?.originalError).toBeUndefined();
    }
  });

  test('bad texts count with their errors', () => {
    const { prepare } = createOperations({ limits: unlimited, introspection: true, cacheEntries: 10_000 });
    const errorsOf = (text: string): unknown => {
      const prepared = prepare(supergraph, text, undefined);
      return !prepared.ok && prepared.errors;
    };
    const bad = (n: number): string => `query Q${n} { ${'nothing '.repeat(100)} }`;
    const first = errorsOf(bad(0));
    expect(errorsOf(bad(0))).toBe(first);
    // Texts of some 800 characters with twenty errors each: 5,000 of them would fit if only the text counted.
    for (let n = 1; n < 300; n += 1) errorsOf(bad(n));
    expect(errorsOf(bad(0))).not.toBe(first);
  });

  test('a good document keeps places of its variables only, and no token', () => {
    const prepared = prepare(supergraph, 'query ($x: Int = 1) { a(x: $x) { b } }', undefined);
    if (!prepared.ok) throw new Error('it is good');
    const { document, operation } = prepared.operation;
    const [variable] = operation.variableDefinitions ?? [];
    expect(variable?.loc).toMatchObject({ start: 7, end: 18 });
    expect(variable?.loc?.startToken).toMatchObject({ prev: null, next: null });
    let others = 0;
    const count = ({ kind, loc }: { kind: string; loc?: unknown }): void => {
      if (kind !== 'VariableDefinition' && loc !== undefined) others += 1;
    };
    visit(document, { enter: count });
    expect(others).toBe(0);
  });

  test('good texts count with what is made of them', () => {
    const options = { limits: unlimited, introspection: true, cacheEntries: 10_000, cacheMegabytes: 1 };
    const { prepare } = createOperations(options);
    const ask = (n: number): unknown => prepare(supergraph, `query Q${n} { b }`, undefined);
    const first = ask(0);
    for (let n = 1; n < 10; n += 1) ask(n);
    expect(ask(0)).toBe(first);
    for (let n = 10; n < 120; n += 1) ask(n);
    expect(ask(0)).not.toBe(first);
  });

  test('a supergraph has its own operations', () => {
    const other = { ...supergraph };
    const prepared = prepare(other, '{ b }', undefined);
    expect(prepared.ok && prepared.operation.supergraph).toBe(other);
  });
});

describe('the cache', () => {
  test('forgets what was used longest ago', () => {
    const cache = createLruCache<number>({ maxEntries: 2 });
    cache.set('a', 1);
    cache.set('b', 2);
    cache.get('a');
    cache.set('c', 3);
    expect([cache.get('a'), cache.get('b'), cache.get('c'), cache.size]).toEqual([1, undefined, 3, 2]);
  });

  test('forgets what came first when all have been used, never what has just come', () => {
    const cache = createLruCache<number>({ maxEntries: 3 });
    for (const [index, key] of ['a', 'b', 'c'].entries()) cache.set(key, index);
    for (const key of ['c', 'a', 'b']) cache.get(key);
    cache.set('d', 3);
    expect(['a', 'b', 'c', 'd'].map((key) => cache.get(key))).toEqual([undefined, 1, 2, 3]);
  });

  test('is bounded by weight, and does not empty itself for one that is too heavy', () => {
    const cache = createLruCache<number>({ maxEntries: 10, maxWeight: 10 });
    cache.set('a', 1, 6);
    cache.set('b', 2, 5);
    expect([cache.get('a'), cache.get('b')]).toEqual([undefined, 2]);
    cache.set('huge', 3, 11);
    expect([cache.get('huge'), cache.get('b')]).toEqual([undefined, 2]);
    cache.set('b', 4, 1);
    cache.set('c', 5, 9);
    expect([cache.get('b'), cache.get('c')]).toEqual([4, 5]);
  });
});
