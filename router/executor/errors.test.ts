// Errors and nulls: where they stand, what they cost, and that nothing inside is told.
import { beforeEach, describe, expect, test } from '@jest/globals';
import { GraphQLError } from 'graphql';
import { CodedError } from '../../service/errors.ts';
import { executeOperation, type SubgraphFetch } from './execute.ts';
import { maxPlacesPerError } from './failures.ts';
import { makeGraph } from './testing/graph.ts';

interface Rep {
  readonly id: string;
}

const state = { down: new Set<string>(), ids: ['1', '2', '1'] };
const broken = (code?: string) => {
  throw new GraphQLError('broken', code === undefined ? {} : { extensions: { code, detail: 'd' } });
};

const graph = makeGraph([
  {
    name: 'orders',
    sdl: `type Query { orders: [Order!]! first: Order must: Order! nothing: Int never: Int! }
      type Order @key(fields: "id") { id: ID! total: Int note: String }`,
    resolvers: {
      Query: {
        orders: () => state.ids.map((id) => ({ id })),
        first: () => ({ id: '1' }),
        must: () => ({ id: '9' }),
        nothing: () => broken('TEAPOT'),
        never: () => broken('TEAPOT'),
      },
      Order: { total: () => 5, note: ({ id }: Rep) => (id === '2' ? broken() : 'n') },
    },
  },
  {
    name: 'payments',
    sdl: `type Order @key(fields: "id") { id: ID! payment: Payment paid: Boolean! fee: Int! }
      type Payment { status: String! lines: [Line] } type Line { amount: Int }`,
    resolvers: {
      Order: {
        __resolveReference: async ({ id }: Rep) => (id === '2' ? broken('NOT_FOUND') : { id }),
        payment: () => ({ status: 's', lines: [{ amount: 1 }, {}] }),
        fee: () => 1,
        paid: ({ id }: Rep) => (id === '9' ? broken() : true),
      },
      Line: { amount: ({ amount }: { amount?: number }) => amount ?? broken() },
    },
  },
  {
    name: 'deliveries',
    sdl: `type Order @key(fields: "id") { id: ID! total: Int @external payment: Payment @external
        delivery: Delivery cost: Int @requires(fields: "total payment { status }") }
      type Payment { status: String! @external } type Delivery { at: String }`,
    resolvers: { Order: { __resolveReference: (rep: Rep) => rep, delivery: () => ({ at: 'now' }), cost: () => 1 } },
  },
]);

const fetch: SubgraphFetch<unknown> = (request, context) =>
  state.down.has(request.subgraph)
    ? Promise.reject(new CodedError('SERVICE_UNAVAILABLE'))
    : graph.fetch(request, context);

const run = async (query: string, fetchWith: SubgraphFetch<unknown> = fetch) => {
  const { data, errors } = await executeOperation(graph.compile(query), {}, fetchWith, undefined);
  return {
    data,
    errors: errors?.map(({ message, path, extensions }) => ({
      path: path?.join('.'),
      code: extensions['code'],
      ...(message === 'broken' ? { message } : {}),
    })),
  };
};

beforeEach(() => {
  state.down.clear();
  state.ids = ['1', '2', '1'];
});

describe('errors of subgraphs', () => {
  test('keep their message, code and path', async () => {
    const { errors } = await executeOperation(graph.compile('{ nothing first { total } }'), {}, fetch, undefined);
    expect(errors?.map((error) => error.toJSON())).toEqual([
      { message: 'broken', path: ['nothing'], extensions: { code: 'TEAPOT', detail: 'd' } },
    ]);
  });

  test('without a code have INTERNAL_SERVER_ERROR', async () => {
    expect(await run('{ orders { note } }')).toEqual({
      data: { orders: [{ note: 'n' }, { note: null }, { note: 'n' }] },
      errors: [{ message: 'broken', path: 'orders.1.note', code: 'INTERNAL_SERVER_ERROR' }],
    });
  });

  test('stand at every place of the entity, and below it, in the names of the client', async () => {
    const { data, errors } = await run('{ all: orders { pay: payment { lines { id: amount } } } }');
    expect(data).toEqual({
      all: [
        { pay: { lines: [{ id: 1 }, { id: null }] } },
        { pay: null },
        { pay: { lines: [{ id: 1 }, { id: null }] } },
      ],
    });
    expect(errors?.map(({ path }) => path).sort()).toEqual([
      'all.0.pay.lines.1.id',
      'all.1.pay',
      'all.2.pay.lines.1.id',
    ]);
  });

  test('of an entity that is not found stand at the fields it does not have', async () => {
    state.ids = ['2'];
    expect(await run('{ orders { total payment { status } } }')).toEqual({
      data: { orders: [{ total: 5, payment: null }] },
      errors: [{ message: 'broken', path: 'orders.0.payment', code: 'NOT_FOUND' }],
    });
  });

  test('explain the null that rises: it has no second error', async () => {
    expect(await run('{ must { paid } }')).toEqual({
      data: null,
      errors: [{ message: 'broken', path: 'must.paid', code: 'INTERNAL_SERVER_ERROR' }],
    });
  });

  test.each(['{ must { fee paid } }', '{ must { paid fee } }'])(
    'explain what is missing beside them, when all has become null: %s',
    async (query) => {
      expect(await run(query)).toEqual({
        data: null,
        errors: [{ message: 'broken', path: 'must.paid', code: 'INTERNAL_SERVER_ERROR' }],
      });
    },
  );

  test('explain an answer without data', async () => {
    expect(await run('{ must { total } orders { total } never }')).toEqual({
      data: null,
      errors: [{ message: 'broken', path: 'never', code: 'TEAPOT' }],
    });
  });
});

describe('a subgraph that cannot be reached', () => {
  test('costs its own fields only, each with an error', async () => {
    state.down.add('payments');
    expect(await run('{ orders { total payment { status } delivery { at } } }')).toEqual({
      data: {
        orders: [
          { total: 5, payment: null, delivery: { at: 'now' } },
          { total: 5, payment: null, delivery: { at: 'now' } },
          { total: 5, payment: null, delivery: { at: 'now' } },
        ],
      },
      errors: ['orders.0.payment', 'orders.1.payment', 'orders.2.payment'].map((path) => ({
        path,
        code: 'SERVICE_UNAVAILABLE',
      })),
    });
  });

  test('costs what requires its fields, with the same error', async () => {
    state.down.add('payments');
    expect(await run('{ first { cost delivery { at } } }')).toEqual({
      data: { first: { cost: null, delivery: { at: 'now' } } },
      errors: [{ path: 'first.cost', code: 'SERVICE_UNAVAILABLE' }],
    });
  });

  test('empties the response when the root is its own', async () => {
    state.down.add('orders');
    expect(await run('{ orders { total } }')).toEqual({
      data: null,
      errors: [{ path: 'orders', code: 'SERVICE_UNAVAILABLE' }],
    });
    expect(await run('{ first { total } nothing }')).toEqual({
      data: { first: null, nothing: null },
      errors: [
        { path: 'first', code: 'SERVICE_UNAVAILABLE' },
        { path: 'nothing', code: 'SERVICE_UNAVAILABLE' },
      ],
    });
  });

  test('is told of so many times and no more', async () => {
    state.down.add('payments');
    state.ids = Array.from({ length: 100 }, (_, at) => String(at + 10));
    const { data, errors } = await run('{ orders { payment { status } } }');
    expect((data as { orders: unknown[] }).orders).toHaveLength(100);
    expect(errors).toHaveLength(maxPlacesPerError);
  });

  test.each([
    ['an error without a code', () => Promise.reject(new Error('secret address 10.0.0.1'))],
    [
      'a throw',
      () => {
        throw new TypeError('secret');
      },
    ],
    ['no data and no errors', () => Promise.resolve({})],
    ['null data and no errors', () => Promise.resolve({ data: null })],
    ['nonsense', () => Promise.resolve('nonsense' as never)],
    ['nothing', () => Promise.resolve(undefined as never)],
  ] satisfies [string, SubgraphFetch<unknown>][])('may also answer with %s', async (_, answer) => {
    const result = await executeOperation(graph.compile('{ first { total } }'), {}, answer, undefined);
    expect(result.data).toEqual({ first: null });
    expect(result.errors).toMatchObject([{ path: ['first'], extensions: { code: 'INTERNAL_SERVER_ERROR' } }]);
    expect(JSON.stringify(result)).not.toContain('secret');
  });

  test.each([
    ['too few entities', { _entities: [] }],
    ['no list', { _entities: {} }],
    ['null', null],
  ])('may answer a fetch of entities with %s', async (_, data) => {
    const result = await run('{ first { total payment { status } } }', (request, context) =>
      request.subgraph === 'payments' ? Promise.resolve({ data }) : graph.fetch(request, context),
    );
    expect(result).toEqual({
      data: { first: { total: 5, payment: null } },
      errors: [{ path: 'first.payment', code: 'INTERNAL_SERVER_ERROR' }],
    });
  });

  test('may know nothing of an entity: that is null and no error', async () => {
    const result = await run('{ first { total payment { status } } }', (request, context) =>
      request.subgraph === 'payments'
        ? Promise.resolve({ data: { _entities: [null] } })
        : graph.fetch(request, context),
    );
    expect(result).toEqual({ data: { first: { total: 5, payment: null } }, errors: undefined });
  });
});
