// The order of mutations and what stops them.
import { beforeEach, describe, expect, test } from '@jest/globals';
import { makeGraph } from './testing/graph.ts';

const done: string[] = [];
const fails = new Set<string>();
const act = (name: string) => () => {
  done.push(name);
  if (fails.has(name)) throw new Error(name);
  return { id: name };
};

const graph = makeGraph([
  {
    name: 'a',
    sdl: `type Query { x: Int } type Mutation { first: Item! third: Item } type Item @key(fields: "id") { id: ID! }`,
    resolvers: { Mutation: { first: act('first'), third: act('third') } },
  },
  {
    name: 'b',
    sdl: `type Mutation { second: Item fourth: Item! } type Item @key(fields: "id") { id: ID! name: String }`,
    resolvers: {
      Mutation: { second: act('second'), fourth: act('fourth') },
      Item: {
        __resolveReference: ({ id }: { id: string }) => ({ id }),
        name: ({ id }: { id: string }) => {
          done.push(`name of ${id}`);
          return `${id} at ${done.length}`;
        },
      },
    },
  },
]);

beforeEach(() => {
  done.length = 0;
  fails.clear();
});

describe('mutations', () => {
  test('are done one after the other, each with what belongs to it before the next', async () => {
    const { data } = await graph.run('mutation { first { id name } second { id } third { id name } fourth { id } }');
    expect(done).toEqual(['first', 'name of first', 'second', 'third', 'name of third', 'fourth']);
    expect(Object.keys(data ?? {})).toEqual(['first', 'second', 'third', 'fourth']);
    expect(graph.requests.map(({ kind }) => kind)).toEqual([
      'mutation',
      'query',
      'mutation',
      'mutation',
      'query',
      'mutation',
    ]);
  });

  test('go on after one that failed and may be null', async () => {
    fails.add('second');
    const { data, errors } = await graph.run('mutation { second { id } third { id } }');
    expect(data).toEqual({ second: null, third: { id: 'third' } });
    expect(errors).toMatchObject([{ message: 'second', path: ['second'] }]);
  });

  test('stop after one that failed and must not be null: nothing of them could be told', async () => {
    fails.add('first');
    const { data, errors } = await graph.run('mutation { first { id } second { id } third { id } }');
    expect(done).toEqual(['first']);
    expect(data).toBeNull();
    expect(errors).toMatchObject([{ message: 'first', path: ['first'] }]);
  });

  test('a conditional field that is left out stops nothing', async () => {
    const query = 'mutation($no: Boolean!) { first @include(if: $no) { id } second { id } }';
    expect(await graph.run(query, { no: false })).toEqual({ data: { second: { id: 'second' } } });
  });
});
