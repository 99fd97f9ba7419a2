// @fromContext: arguments that come from the objects around an entity.
import { expect, test } from '@jest/globals';
import { makeGraph } from './testing/graph.ts';

interface Rep {
  readonly id: string;
}

const graph = makeGraph([
  {
    name: 'shops',
    sdl: `type Query { shops: [Shop!]! stall: Stall }
      type Shop @key(fields: "id") { id: ID! currency: String! @shareable shelf: Shelf! }
      type Stall @key(fields: "id") { id: ID! money: String! @shareable shelf: Shelf! }
      type Shelf { items: [[Item!]!]! } type Item @key(fields: "id") { id: ID! }`,
    resolvers: {
      Query: {
        shops: () => [
          { id: '1', currency: 'KRW' },
          { id: '2', currency: 'USD' },
          { id: '3', currency: 'KRW' },
        ],
        stall: () => ({ id: '4', money: 'EUR' }),
      },
      Shop: { shelf: ({ id }: Rep) => ({ items: [[{ id: 'a' }], [{ id }]] }) },
      Stall: { shelf: ({ id }: Rep) => ({ items: [[{ id: 'a' }], [{ id }]] }) },
    },
  },
  {
    name: 'prices',
    sdl: `type Shop @key(fields: "id") @context(name: "place") { id: ID! currency: String! @shareable }
      type Stall @key(fields: "id") @context(name: "place") { id: ID! money: String! @shareable }
      type Item @key(fields: "id") {
        id: ID! name: String
        price(in: String @fromContext(field: "$place ... on Shop { currency } ... on Stall { money }"), round: Boolean): String
      }`,
    resolvers: {
      Item: {
        __resolveReference: ({ id }: Rep) => ({ id }),
        price: ({ id }: Rep, args: { in: string; round?: boolean }) => `${id} ${args.in}${args.round ? '!' : ''}`,
        name: () => 'n',
      },
    },
  },
]);

test('@fromContext fills arguments in from the nearest object around, one request for each value', async () => {
  const { data, errors } = await graph.run(
    '{ shops { shelf { items { price(round: true) } } } stall { shelf { items { price } } } }',
  );
  expect(errors).toBeUndefined();
  const items = (id: string, currency: string) => ({
    shelf: { items: [[{ price: `a ${currency}` }], [{ price: `${id} ${currency}` }]] },
  });
  expect(data).toEqual({
    shops: [items('1', 'KRW!'), items('2', 'USD!'), items('3', 'KRW!')],
    stall: items('4', 'EUR'),
  });
  const asked = graph.requests.filter(({ subgraph }) => subgraph === 'prices');
  expect(asked.map(({ variables }) => (variables['representations'] as Rep[]).map(({ id }) => id).join())).toEqual([
    'a,1,3',
    'a,2',
    'a,4',
  ]);
});

test('a field that is asked for in one context only goes, with its variables, from the requests for the others', async () => {
  const owners = makeGraph([
    {
      name: 'owners',
      sdl: `type Query { owners: [Owner!]! } union Owner = Shop | Stall
        type Shop @key(fields: "id") { id: ID! money: String @shareable shelf: Shelf! }
        type Stall @key(fields: "id") { id: ID! money: String @shareable shelf: Shelf! }
        type Shelf { item: Item! } type Item @key(fields: "id") { id: ID! }`,
      resolvers: {
        Query: {
          owners: () => [
            { __typename: 'Shop', id: '1', money: 'KRW', shelf: { item: { id: 'a' } } },
            { __typename: 'Stall', id: '2', money: 'EUR', shelf: { item: { id: 'b' } } },
          ],
        },
      },
    },
    {
      name: 'prices',
      sdl: `type Shop @key(fields: "id") @context(name: "place") { id: ID! money: String @shareable }
        type Stall @key(fields: "id") @context(name: "place") { id: ID! money: String @shareable }
        type Item @key(fields: "id") {
          id: ID! name: String price(in: String @fromContext(field: "$place { money }"), round: Boolean): String
        }`,
      resolvers: {
        Item: {
          __resolveReference: ({ id }: Rep) => ({ id }),
          price: ({ id }: Rep, args: { in: string }) => `${id} ${args.in}`,
          name: ({ id }: Rep) => `n${id}`,
        },
      },
    },
  ]);
  const { data, errors } = await owners.run(
    `query($round: Boolean) { owners {
      ... on Shop { shelf { item { price(round: $round) } } } ... on Stall { shelf { item { name } } }
    } }`,
    { round: true },
  );
  expect(errors).toBeUndefined();
  expect(data).toEqual({ owners: [{ shelf: { item: { price: 'a KRW' } } }, { shelf: { item: { name: 'nb' } } }] });
});
