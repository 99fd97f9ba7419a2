// Persisted operations: asked for by hash or id, remembered within bounds, and kept to a list.
import { describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { CodedError } from '../service/errors.ts';
import { readPersistedList } from './persisted-manifest.ts';
import { createPersistedOperations } from './persisted-operations.ts';
import type { PersistedOperations, PersistedOptions } from './persisted-operations.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hash = (id: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash: id } } });
const text = '{ users { id } }';

const persisted = (options: Partial<PersistedOptions> = {}): PersistedOperations =>
  createPersistedOperations({
    automatic: true,
    cacheEntries: 2,
    unlisted: 'enforce',
    onUnlisted: () => undefined,
    list: undefined,
    ...options,
  });

function outcome(operations: PersistedOperations, params: Readonly<Record<string, unknown>>): unknown {
  try {
    return operations.resolve(params)['query'];
  } catch (error) {
    return error instanceof CodedError ? error.code : error;
  }
}

describe('automatic persisted queries', () => {
  test('are asked for by hash once they were sent whole', () => {
    const operations = persisted();
    expect(outcome(operations, hash(sha256(text)))).toBe('PERSISTED_QUERY_NOT_FOUND');
    expect(outcome(operations, { query: text, ...hash(sha256(text)) })).toBe(text);
    expect(outcome(operations, hash(sha256(text)))).toBe(text);
  });

  test('may come in a query string', () => {
    const operations = persisted();
    operations.resolve({ query: text, ...hash(sha256(text)) });
    expect(outcome(operations, { extensions: JSON.stringify(hash(sha256(text)).extensions) })).toBe(text);
  });

  test('are remembered under their true hash only', () => {
    const operations = persisted();
    expect(outcome(operations, { query: text, ...hash(sha256('{ other }')) })).toBe('BAD_REQUEST');
    expect(outcome(operations, hash(sha256('{ other }')))).toBe('PERSISTED_QUERY_NOT_FOUND');
  });

  test('are forgotten, the longest unused first', () => {
    const operations = persisted();
    const texts = ['{ a }', '{ b }', '{ c }'];
    for (const query of texts) operations.resolve({ query, ...hash(sha256(query)) });
    expect(texts.map((query) => outcome(operations, hash(sha256(query))))).toEqual([
      'PERSISTED_QUERY_NOT_FOUND',
      '{ b }',
      '{ c }',
    ]);
  });

  test.each([
    ['another version', { persistedQuery: { version: 2, sha256Hash: 'x' } }],
    ['no hash', { persistedQuery: { version: 1 } }],
  ])('with %s are refused', (_name, extensions) => {
    expect(outcome(persisted(), { extensions })).toBe('BAD_REQUEST');
  });

  test('that are not served say so, and leave whole operations alone', () => {
    const operations = persisted({ automatic: false });
    expect(outcome(operations, hash('x'))).toBe('PERSISTED_QUERY_NOT_SUPPORTED');
    expect(outcome(operations, { query: text })).toBe(text);
  });

  test('hand on everything else', () => {
    const params = { query: text, variables: { a: 1 }, extensions: { other: 1 } };
    expect(persisted().resolve(params)).toBe(params);
    const both = { other: 1, ...hash(sha256(text)).extensions };
    expect(persisted().resolve({ query: text, extensions: both })).toEqual({ query: text, extensions: { other: 1 } });
  });
});

describe('a list of operations', () => {
  const list = new Map([['users-v1', text]]);

  test('is asked by id, and by the text, however it is laid out', () => {
    const operations = persisted({ list });
    expect(outcome(operations, hash('users-v1'))).toBe(text);
    expect(outcome(operations, { query: text, ...hash('users-v1') })).toBe(text);
    expect(outcome(operations, { query: '{users{id,}} # mine' })).toBe('{users{id,}} # mine');
  });

  test('keeps out all else, and remembers nothing of it', () => {
    const operations = persisted({ list });
    const other = '{ users { name } }';
    expect(outcome(operations, { query: other })).toBe('OPERATION_NOT_LISTED');
    expect(outcome(operations, { query: other, ...hash(sha256(other)) })).toBe('OPERATION_NOT_LISTED');
    expect(outcome(operations, hash(sha256(other)))).toBe('PERSISTED_QUERY_NOT_FOUND');
    expect(outcome(operations, { query: '{ not graphql' })).toBe('OPERATION_NOT_LISTED');
    expect(outcome(operations, { query: `${text} ${' '.repeat(1_000)}` })).toBe('OPERATION_NOT_LISTED');
  });

  test('only tells, when it is being tried out', () => {
    const told: unknown[] = [];
    const operations = persisted({ list, unlisted: 'log', onUnlisted: (one) => told.push(one) });
    expect(outcome(operations, { query: '{ other }' })).toBe('{ other }');
    expect(outcome(operations, { query: text })).toBe(text);
    expect(told).toEqual([{ sha256: sha256('{ other }'), refused: false }]);
  });

  test('gives way to the next', () => {
    const operations = persisted({ list });
    operations.use(new Map([['users-v2', '{ users { name } }']]));
    expect(outcome(operations, hash('users-v1'))).toBe('PERSISTED_QUERY_NOT_FOUND');
    expect(outcome(operations, { query: text })).toBe('OPERATION_NOT_LISTED');
    expect(outcome(operations, hash('users-v2'))).toBe('{ users { name } }');
  });
});

describe('the file of the list', () => {
  const manifest = (...operations: unknown[]): string =>
    JSON.stringify({ format: 'apollo-persisted-query-manifest', version: 1, operations });

  test("is Apollo's manifest, or a map", () => {
    const operation = { id: 'a', body: text, name: 'Users', type: 'query' };
    expect([...readPersistedList(manifest(operation, operation))]).toEqual([['a', text]]);
    expect([...readPersistedList(JSON.stringify({ a: text }))]).toEqual([['a', text]]);
  });

  test.each([
    ['{', /JSON/],
    ['[]', /^the file: /],
    ['{"a": 1}', /^a: /],
    ['{"a": "{ b"}', /^operation a: Syntax Error/],
    [manifest({ id: 'a' }), /^operations\.0\.body: /],
    [manifest({ id: 'a', body: '{ a }' }, { id: 'a', body: '{ b }' }), /^operation a is there twice/],
    [JSON.stringify({ format: 'other', version: 1, operations: [] }), /^format: /],
    [JSON.stringify({ format: 'apollo-persisted-query-manifest', version: 2, operations: [] }), /^version: /],
  ])('%s is refused, saying why', (json, message) => {
    expect(() => readPersistedList(json)).toThrow(message);
  });
});
