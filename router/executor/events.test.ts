// Events of subscriptions: covered, completed, never changed.
import { describe, expect, test } from '@jest/globals';
import { CodedError } from '../../service/errors.ts';
import { executeEvent, needsFetch } from './execute.ts';
import { makeGraph } from './testing/graph.ts';

interface Rep {
  readonly id: string;
}

const graph = makeGraph([
  {
    name: 'events',
    sdl: `type Subscription { changed(id: ID!): Change! maybe: Change any: Happening! }
      type Change { number: Int! status: Status reason: String order: Order! orders: [[Order]] }
      type Closed { at: String! shop: Order } union Happening = Change | Closed
      enum Status { OPEN DONE HIDDEN @inaccessible }
      type Order @key(fields: "id", resolvable: false) { id: ID! }`,
  },
  {
    name: 'orders',
    sdl: `type Query { order: Order } type Order @key(fields: "id") { id: ID! total: Int! secret: Int }`,
    resolvers: { Order: { __resolveReference: ({ id }: Rep) => ({ id, total: Number(id) * 100 }) } },
  },
]);

function freeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(freeze);
  return Object.freeze(value);
}

const change = freeze({
  number: 1,
  status: 'OPEN',
  reason: null,
  order: { id: '1' },
  orders: [[{ id: '1' }, null], [{ id: '2' }]],
});

describe('an event that covers the selection', () => {
  const query = `subscription { changed(id: 1) { n: number s: status status order { key: id __typename }
    ... @include(if: false) { reason } orders { id } } }`;

  test('asks nothing, and is shaped by field names whatever the aliases', async () => {
    expect(needsFetch(graph.compile(query))).toBe(false);
    for (let times = 0; times < 3; times++) {
      expect(JSON.stringify(await graph.runEvent(query, { changed: change }))).toBe(
        JSON.stringify({
          data: {
            changed: {
              n: 1,
              s: 'OPEN',
              status: 'OPEN',
              order: { key: '1', __typename: 'Order' },
              orders: [[{ id: '1' }, null], [{ id: '2' }]],
            },
          },
        }),
      );
      expect(graph.requests).toEqual([]);
    }
  });

  test('may lack what may be null', async () => {
    const result = await graph.runEvent('subscription { maybe { reason status } }', { maybe: { number: 1 } });
    expect(result).toEqual({ data: { maybe: { reason: null, status: null } } });
  });

  test('may be nothing', async () => {
    expect(await graph.runEvent('subscription { maybe { number } }', { maybe: null })).toEqual({
      data: { maybe: null },
    });
  });

  test('is checked like any data', async () => {
    const { data, errors } = await graph.runEvent('subscription { changed(id: 1) { status number } }', {
      changed: { status: 'HIDDEN' },
    });
    expect(data).toBeNull();
    expect(errors?.map(({ path }) => path)).toEqual([
      ['changed', 'status'],
      ['changed', 'number'],
    ]);
  });

  test('of a union says its type', async () => {
    const select = 'subscription { any { __typename ... on Closed { at } ... on Change { number } } }';
    expect((await graph.runEvent(select, { any: { __typename: 'Closed', at: 't' } })).data).toEqual({
      any: { __typename: 'Closed', at: 't' },
    });
  });
});

describe('an event that lacks something', () => {
  const query = `subscription($no: Boolean!) { renamed: changed(id: 1) { number: status id: number
    order { id: total total } orders { total @skip(if: $no) id } } }`;

  test('is completed by the subgraphs that own it, and stays as it was', async () => {
    expect(needsFetch(graph.compile(query))).toBe(true);
    expect(needsFetch(graph.compile(query), { no: true })).toBe(true);
    for (let times = 0; times < 3; times++) {
      const { data, errors } = await graph.runEvent(query, { renamed: change }, { no: false });
      expect(errors).toBeUndefined();
      expect(data).toEqual({
        renamed: {
          number: 'OPEN',
          id: 1,
          order: { id: 100, total: 100 },
          orders: [[{ total: 100, id: '1' }, null], [{ total: 200, id: '2' }]],
        },
      });
      expect(graph.requests.map(({ subgraph }) => subgraph)).not.toContain('events');
    }
  });

  test('of a union is completed too', async () => {
    const select = 'subscription { any { ... on Closed { shop { total } } ... on Change { order { total } } } }';
    const event = { any: { __typename: 'Closed', at: 't', shop: { id: '3' } } };
    expect((await graph.runEvent(select, event)).data).toEqual({ any: { shop: { total: 300 } } });
  });

  test('has null and an error where the subgraph cannot be reached', async () => {
    const operation = graph.compile('subscription { maybe { number order { secret } } }');
    const down = () => Promise.reject(new CodedError('SERVICE_UNAVAILABLE'));
    const { data, errors } = await executeEvent(operation, {}, { maybe: change }, down, undefined);
    expect(data).toEqual({ maybe: { number: 1, order: { secret: null } } });
    expect(errors).toMatchObject([{ path: ['maybe', 'order', 'secret'], extensions: { code: 'SERVICE_UNAVAILABLE' } }]);
  });

  test('is known to ask nothing where the variables leave out what it lacks', () => {
    const conditional = graph.compile(
      'subscription($more: Boolean!) { maybe { number order { total @include(if: $more) } } }',
    );
    expect(needsFetch(conditional)).toBe(true);
    expect(needsFetch(conditional, { more: true })).toBe(true);
    expect(needsFetch(conditional, { more: false })).toBe(false);
  });
});

test('a root field that is skipped gives an empty response', async () => {
  expect(await graph.runEvent('subscription { maybe @skip(if: true) { number } }', { maybe: change })).toEqual({
    data: {},
  });
});
