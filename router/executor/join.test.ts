// Fetches to one subgraph at the same moment.
import { describe, expect, test } from '@jest/globals';
import { CodedError } from '../../service/errors.ts';
import { executeOperation } from './execute.ts';
import { makeGraph } from './testing/graph.ts';

interface Rep {
  readonly id: string;
}

const graph = makeGraph([
  {
    name: 'a',
    sdl: `type Query { left: Thing right: Other things: [Thing!]! }
      type Thing @key(fields: "id") { id: ID! } type Other @key(fields: "id") { id: ID! thing: Thing }`,
    resolvers: {
      Query: {
        left: () => ({ id: '1' }),
        right: () => ({ id: '9', thing: { id: '2' } }),
        things: () => [{ id: '1' }, { id: '3' }],
      },
    },
  },
  {
    name: 'b',
    sdl: `type Thing @key(fields: "id") { id: ID! name(suffix: String): String next: Thing must: Int! }
      type Other @key(fields: "id") { id: ID! name: String }`,
    resolvers: {
      Thing: {
        __resolveReference: ({ id }: Rep) => ({ id }),
        name: ({ id }: Rep, { suffix }: { suffix?: string }) => {
          if (id === '2') throw new Error('no name');
          return `thing ${id}${suffix ?? ''}`;
        },
        next: ({ id }: Rep) => ({ id: `${id}0` }),
      },
      Other: { __resolveReference: ({ id }: Rep) => ({ id }), name: ({ id }: Rep) => `other ${id}` },
    },
  },
]);

const query = `query Names($s: String) { left { name(suffix: $s) }
  right { name thing { name } } things { name(suffix: $s) n: next { name } } }`;

describe('fetches to one subgraph at the same moment', () => {
  test('are one request, and each has its own data and errors', async () => {
    const { data, errors } = await graph.run(query, { s: '!' });
    expect(data).toEqual({
      left: { name: 'thing 1!' },
      right: { name: 'other 9', thing: { name: null } },
      things: [
        { name: 'thing 1!', n: { name: 'thing 10' } },
        { name: 'thing 3!', n: { name: 'thing 30' } },
      ],
    });
    expect(errors?.map(({ message, path }) => [message, path])).toEqual([['no name', ['right', 'thing', 'name']]]);
    expect(graph.requests.map(({ subgraph }) => subgraph)).toEqual(['a', 'b']);
    expect(Object.keys(graph.requests[1]?.variables ?? {}).sort()).toEqual([
      'representations_0',
      'representations_1',
      'representations_2',
      'representations_3',
      's',
    ]);
  });

  test('fail together, each at its own fields', async () => {
    const { data, errors } = await executeOperation(
      graph.compile(query),
      {},
      (request, context) =>
        request.subgraph === 'b'
          ? Promise.reject(new CodedError('SERVICE_UNAVAILABLE'))
          : graph.fetch(request, context),
      undefined,
    );
    expect(data).toEqual({
      left: { name: null },
      right: { name: null, thing: { name: null } },
      things: [
        { name: null, n: null },
        { name: null, n: null },
      ],
    });
    expect(errors?.map(({ path }) => path?.join('.')).sort()).toEqual([
      'left.name',
      'right.name',
      'right.thing.name',
      'things.0.n',
      'things.0.name',
      'things.1.n',
      'things.1.name',
    ]);
  });

  test('an error of none of them is told where data is lost', async () => {
    const { errors } = await executeOperation(
      graph.compile('{ left { name } right { name } }'),
      {},
      (request, context) =>
        request.subgraph === 'b'
          ? Promise.resolve({ data: null, errors: [{ message: 'too busy' }] })
          : graph.fetch(request, context),
      undefined,
    );
    expect(errors?.map(({ message, path }) => `${message} ${String(path?.join('.'))}`).sort()).toEqual([
      'too busy left.name',
      'too busy right.name',
    ]);
  });

  describe('that ask the same of different objects', () => {
    const same = `query Same { left { name next { name } } right { thing { name next { name } } } things { name next { name } } }`;

    test('are one list, with each object once', async () => {
      const { data, errors } = await graph.run(same);
      expect(data).toEqual({
        left: { name: 'thing 1', next: { name: 'thing 10' } },
        right: { thing: { name: null, next: { name: 'thing 20' } } },
        things: [
          { name: 'thing 1', next: { name: 'thing 10' } },
          { name: 'thing 3', next: { name: 'thing 30' } },
        ],
      });
      // The first place of an object takes the answer, the others have copies: no two share a part.
      const { left, things } = data as { left: { next: object }; things: { next: object }[] };
      expect(left.next).not.toBe(things[0]?.next);
      expect(errors?.map(({ message, path }) => [message, path])).toEqual([['no name', ['right', 'thing', 'name']]]);
      expect(graph.requests.map(({ variables }) => variables['representations'])).toEqual([
        undefined,
        [
          { __typename: 'Thing', id: '1' },
          { __typename: 'Thing', id: '2' },
          { __typename: 'Thing', id: '3' },
        ],
      ]);
    });

    test('an error of an object is told wherever it stands', async () => {
      const { errors } = await executeOperation(
        graph.compile('query Both { left { name } things { name } }'),
        {},
        (request, context) =>
          request.subgraph === 'b'
            ? Promise.resolve({
                data: { _entities: [{ name: null }, { name: 'three' }] },
                errors: [{ message: 'no name', path: ['_entities', 0, 'name'] }],
              })
            : graph.fetch(request, context),
        undefined,
      );
      expect(errors?.map(({ path }) => path?.join('.'))).toEqual(['left.name', 'things.0.name']);
    });

    test.each([
      ['an answer that lacks an object', { data: { _entities: [{ name: 'one' }] } }],
      ['an error of the whole', { data: null, errors: [{ message: 'too busy' }] }],
    ])('%s is told at each', async (_name, answer) => {
      const { data, errors } = await executeOperation(
        graph.compile('query Both { left { name } things { name } }'),
        {},
        (request, context) => (request.subgraph === 'b' ? Promise.resolve(answer) : graph.fetch(request, context)),
        undefined,
      );
      expect(data).toEqual({ left: { name: null }, things: [{ name: null }, { name: null }] });
      expect(errors?.map(({ path }) => path?.join('.')).sort()).toEqual([
        'left.name',
        'things.0.name',
        'things.1.name',
      ]);
    });
  });
});
