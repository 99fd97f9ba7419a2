// What the response has, what a value must be, and how nulls rise.
import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { executeOperation } from './execute.ts';
import { compileOperation, restrictOperation } from './operation.ts';
import { makeGraph } from './testing/graph.ts';

const values: Record<string, unknown> = {};
const graph = makeGraph([
  {
    name: 'a',
    sdl: `scalar Json enum Color { RED GREEN SECRET @inaccessible }
      type Query { item: Item items: [Item] strict: Strict anything: Thing color: Color json: Json id: ID }
      type Item { id: ID! name: String count: Int ratio: Float on: Boolean color: Color tags: [String!] self: Item }
      type Strict { must: String! list: [String!]! matrix: [[Int!]] child: Strict childMust: Strict! }
      union Thing = Item | Hidden type Hidden @inaccessible { x: Int }`,
  },
]);

/** What a subgraph answers is what `values` says: it may be anything. Three times: the ways of shaping must agree. */
async function run(query: string, data: Record<string, unknown>, variables: Record<string, unknown> = {}) {
  const operation = compileOperation(graph.supergraph, parse(query), undefined);
  Object.assign(values, data);
  const answer = () => Promise.resolve({ data: JSON.parse(JSON.stringify(data)) as Record<string, unknown> });
  const results = [];
  for (let times = 0; times < 3; times++) {
    results.push(JSON.stringify(await executeOperation(operation, variables, answer, undefined)));
  }
  expect(new Set(results).size).toBe(1);
  return JSON.parse(results[0] ?? '') as {
    data: unknown;
    errors?: { message: string; path: unknown; extensions: unknown }[];
  };
}

describe('what the response has', () => {
  test('keys in the order of the query, merged over fragments', async () => {
    const item = { id: '1', name: 'n', count: 1, on: true };
    const { data } = await run('{ item { ...F on } item { count } } fragment F on Item { name ... { id } }', { item });
    expect(JSON.stringify(data)).toBe('{"item":{"name":"n","id":"1","on":true,"count":1}}');
  });

  test('nothing that was not asked for', async () => {
    const { data } = await run('{ item { id } }', { item: { __typename: 'Item', id: '1', secret: 's' }, other: 1 });
    expect(data).toEqual({ item: { id: '1' } });
  });

  test('conditions by variable, each combination on its own', async () => {
    const query = 'query($a: Boolean!, $b: Boolean!) { item { id @include(if: $a) ... @skip(if: $b) { name } count } }';
    const item = { id: '1', name: 'n', count: 1 };
    expect((await run(query, { item }, { a: true, b: false })).data).toEqual({
      item: { id: '1', name: 'n', count: 1 },
    });
    expect((await run(query, { item }, { a: false, b: false })).data).toEqual({ item: { name: 'n', count: 1 } });
    expect((await run(query, { item }, { a: false, b: true })).data).toEqual({ item: { count: 1 } });
  });

  test('nothing at all when everything is skipped', async () => {
    expect(await run('{ item @skip(if: true) { id } }', {})).toEqual({ data: {} });
  });

  test('names of Object.prototype are names like any other', async () => {
    const query = '{ __proto__: item { constructor: name toString: count hasOwnProperty: id } }';
    const operation = compileOperation(graph.supergraph, parse(query), undefined);
    const fetch = ({ query: text }: { query: string }) => {
      expect(text).toContain('client_0____proto__:item');
      return Promise.resolve({
        data: { client_0____proto__: { client_0__constructor: 'n', client_0__hasOwnProperty: '1' } },
      });
    };
    for (let times = 0; times < 3; times++) {
      const { data } = await executeOperation(operation, {}, fetch, undefined);
      expect(JSON.stringify(data)).toBe('{"__proto__":{"constructor":"n","toString":null,"hasOwnProperty":"1"}}');
    }
  });

  test('introspection is answered here, beside data and in fragments', async () => {
    const { data } = await run(
      'query($t: String!) { item { id } __type(name: $t) { name kind } ...F } fragment F on Query { __schema { queryType { name } } }',
      { item: { id: '1' } },
      { t: 'Color' },
    );
    expect(data).toEqual({
      item: { id: '1' },
      __type: { name: 'Color', kind: 'ENUM' },
      __schema: { queryType: { name: 'Query' } },
    });
  });
});

describe('what a value must be', () => {
  test.each([
    ['id', 5, '5'],
    ['id', 'x', 'x'],
    ['count', -(2 ** 31), -(2 ** 31)],
    ['ratio', 0.5, 0.5],
    ['color', 'RED', 'RED'],
    ['tags', [], []],
  ])('%s: %j is good', async (field, value, expected) => {
    expect(await run(`{ item { ${field} } }`, { item: { [field]: value } })).toEqual({
      data: { item: { [field]: expected } },
    });
  });

  test.each([
    ['count', 2 ** 31],
    ['count', 1.5],
    ['count', '1'],
    ['ratio', '0.5'],
    ['name', 5],
    ['name', {}],
    ['on', 'true'],
    ['color', 'SECRET'],
    ['color', 'PINK'],
    ['color', 1],
    ['tags', 'x'],
    ['tags', [1]],
    ['self', 'x'],
    ['self', []],
  ])('%s: %j is null with an error', async (field, value) => {
    const selection = field === 'self' ? 'self { name }' : field;
    const { data, errors } = await run(`{ item { ${selection} } }`, { item: { [field]: value } });
    expect(data).toEqual({ item: { [field]: null } });
    expect(errors).toEqual([
      {
        message: expect.stringMatching(/^(Invalid value found|Expected)/),
        path: field === 'tags' && Array.isArray(value) ? ['item', 'tags', 0] : ['item', field],
        extensions: { code: 'INTERNAL_SERVER_ERROR' },
      },
    ]);
  });

  test('custom scalars pass as they are', async () => {
    const json = { a: [1, { __proto: 2 }], b: null };
    expect(await run('{ json }', { json })).toEqual({ data: { json } });
  });

  test('a type that clients do not know is null with an error', async () => {
    const { data, errors } = await run('{ anything { __typename } }', { anything: { __typename: 'Hidden' } });
    expect(data).toEqual({ anything: null });
    expect(errors).toMatchObject([{ path: ['anything'] }]);
  });
});

describe('nulls that must not be', () => {
  const cannot = (name: string, ...path: (string | number)[]) => ({
    message: `Cannot return null for non-nullable field Strict.${name}.`,
    path,
    extensions: { code: 'INTERNAL_SERVER_ERROR' },
  });

  test('rise to the next object that may be null', async () => {
    expect(await run('{ strict { must child { must } } }', { strict: { must: 'm', child: { must: null } } })).toEqual({
      errors: [cannot('must', 'strict', 'child', 'must')],
      data: { strict: { must: 'm', child: null } },
    });
  });

  test('rise through objects that must be there', async () => {
    const strict = { childMust: { childMust: { must: null } } };
    expect(await run('{ strict { childMust { childMust { must } } } }', { strict })).toEqual({
      errors: [cannot('must', 'strict', 'childMust', 'childMust', 'must')],
      data: { strict: null },
    });
  });

  test('rise through lists', async () => {
    expect(await run('{ strict { list } }', { strict: { list: ['a', null] } })).toEqual({
      errors: [cannot('list', 'strict', 'list', 1)],
      data: { strict: null },
    });
    expect(await run('{ strict { matrix } }', { strict: { matrix: [[1], [2, null], null] } })).toEqual({
      errors: [cannot('matrix', 'strict', 'matrix', 1, 1)],
      data: { strict: { matrix: [[1], null, null] } },
    });
  });
});

describe('an operation of which the viewer may have a part', () => {
  const query = '{ item { id name self { id } } strict { must } }';
  const whole = compileOperation(graph.supergraph, parse(query), undefined);
  const denied = { message: 'no', path: ['item', 'name'] };

  test('asks for that part only and has null for the rest, even if the data is there', async () => {
    const part = restrictOperation(whole, parse('{ item { id } strict { __typename } }'));
    const asked: string[] = [];
    const fetch = (request: { query: string }) => {
      asked.push(request.query);
      return Promise.resolve({ data: { item: { id: '1', name: 'secret', self: { id: '2' } }, strict: { must: 'm' } } });
    };
    for (let times = 0; times < 3; times++) {
      const { data } = await executeOperation(part, {}, fetch, undefined, [denied as never]);
      expect(data).toEqual({ item: { id: '1', name: null, self: null }, strict: null });
    }
    expect(asked[0]).toBe('{item{id}strict{__typename}}');
  });

  test('asks for nothing when nothing is left', async () => {
    const { data } = await executeOperation(
      restrictOperation(whole, undefined),
      {},
      () => Promise.reject(new Error('asked')),
      undefined,
    );
    expect(data).toEqual({ item: null, strict: null });
  });
});
