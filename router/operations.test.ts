// From text to an executable operation: the code of each way to fail, and what is remembered.
import { describe, expect, test } from '@jest/globals';
import { composeSupergraph } from '../schema/compose.ts';
import { createLruCache } from './lru.ts';
import { createOperations } from './operations.ts';
import { loadSupergraph } from './supergraph.ts';

const sdl = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
  type Query { a(x: Int): A b: Int } type A { a: A b: Int } type Subscription { s: Int }`;
const supergraph = loadSupergraph(composeSupergraph([{ name: 'one', url: 'http://one', sdl }]).supergraphSdl);
const limits = { maxTokens: 60, maxDepth: 4, maxHeight: 50, maxAliases: 5, maxRootFields: 5 };
const prepare = createOperations({ limits, introspection: false, cacheEntries: 10 });

const codes = (text: string, operationName?: string): unknown[] => {
  const prepared = prepare(supergraph, text, operationName);
  return prepared.ok ? [] : prepared.errors.map(({ extensions }) => extensions['code']);
};

describe('preparing an operation', () => {
  test.each([
    ['GRAPHQL_PARSE_FAILED', '{ a'],
    ['GRAPHQL_PARSE_FAILED', ''],
    ['GRAPHQL_VALIDATION_FAILED', '{ nothing }'],
    ['GRAPHQL_VALIDATION_FAILED', '{ __schema { description } }'],
    ['GRAPHQL_VALIDATION_FAILED', 'subscription ($no: Boolean!) { s @skip(if: $no) }'],
    ['OPERATION_RESOLUTION_FAILURE', 'query A { b } query B { b }'],
    ['MAX_TOKENS_LIMIT', `{ ${'b '.repeat(80)} }`],
    ['MAX_DEPTH_LIMIT', '{ a { a { a { a { b } } } } }'],
  ])('%s: %s', (code, text) => {
    expect(codes(text)).toEqual([code]);
    expect(codes(text)).toEqual([code]);
  });

  test('chooses the operation by name', () => {
    expect(codes('query A { b } query B { b }', 'B')).toEqual([]);
    expect(codes('query A { b } query B { b }', 'C')).toEqual(['OPERATION_RESOLUTION_FAILURE']);
  });

  test('plans each text once, and bad texts do not push good ones out', () => {
    const first = prepare(supergraph, '{ b }', undefined);
    for (let n = 0; n < 30; n += 1) codes(`{ nothing${String(n)} }`);
    expect(prepare(supergraph, '{ b }', undefined)).toBe(first);
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
